//! Meaning to wire: a [`Canonical`] and a dialect's rules give a [`Message`].
//!
//! Contract: only fields that the rules name or allow are written; a value that does not fit is
//! an error with the field, never cut (fields the dialect declares lossy are left out whole).
//! Allocates nothing once `message` has held a few messages. Deliberately absent: what is said in
//! a field ([`super::say`]); MAC arithmetic – a place for the MAC is left,
//! [`crate::iso8583::mac`] fills it – and the header of a request, which is the line's.

use super::quick::{self, Said};
use super::read::is_currency;
use super::render::{Room, Value, ZEROS, check_carried, push_part, put, set};
use super::say::is_coded;
use super::take::name_of;
use super::{Canonical, Kind, OriginalData, WriteError};
use crate::iso8583::rules::{
    Atom, Breach, Entry, FieldSet, Link, Literal, Need, OriginalRule, Part, Rules, StanRule,
    Subject, What,
};
use crate::iso8583::{Class, Message, Mti};
use crate::money::Currency;

/// Writes a meaning as a message. Without `SHORT` every field goes the general way.
pub(super) fn write<const SHORT: bool>(
    rules: &Rules,
    from: &Canonical,
    message: &mut Message,
) -> Result<(), WriteError> {
    let writer = Writer::new(rules, from)?;
    writer.check_currency()?;
    writer.check_places()?;
    message.clear();
    message.set_mti(writer.mti);
    for link in rules.fields().links() {
        let said = match link.whole {
            Some(atom) if SHORT => quick::said(&writer, atom, link),
            None if SHORT && link.subject.is_some_and(|s| !writer.has(s)) => Said::Nothing,
            _ => Said::Slowly,
        };
        let put = match said {
            // Most fields are not there: whether they may be is asked of the others.
            Said::Nothing => continue,
            _ if !writer.may_write(link.de) => continue,
            Said::Whole(short) if message.set_short(link.de, short).is_ok() => continue,
            Said::Whole(_) | Said::Slowly => writer.put_link(link, message),
        };
        if let Err(unfit) = put {
            writer.forgive(link.de, unfit)?;
        }
    }
    if from.kind == Kind::Reconciliation {
        for link in rules.fields().settlement() {
            writer.put_link(link, message)?;
        }
    }
    writer.put_literals(message)?;
    writer.put_carried(message)?;
    writer.put_defaults(message)?;
    writer.put_mac(message)?;
    writer.need.check(FieldSet::from_words(message.present())).map_err(|breach| match breach {
        Breach::Missing(de) | Breach::Forbidden(de) => {
            let part = rules.fields().link(de).and_then(|l| l.parts.first());
            WriteError::Missing { de, name: part.map_or("carried", name_of) }
        }
    })
}

/// Everything known before the first field.
pub(super) struct Writer<'a> {
    pub(super) rules: &'a Rules,
    pub(super) from: &'a Canonical,
    mti: Mti,
    pub(super) entry: Option<&'a Entry>,
    need: &'a Need,
    pub(super) answer: bool,
    /// What is not forbidden; of a reversal, only its fields.
    allowed: FieldSet,
    /// What stands in the original data.
    pub(super) original: Option<&'a OriginalData>,
    /// Whether the function of the message says that its amount is not its original's.
    pub(super) partial: bool,
}

impl<'a> Writer<'a> {
    fn new(rules: &'a Rules, from: &'a Canonical) -> Result<Self, WriteError> {
        let answer = from.flow.is_answer();
        let (mti, index, entry) = choose(rules, from)?;
        let reversal = rules.reversal().filter(|_| matches!(from.kind, Kind::Reversal(_)));
        let need = match index {
            Some(index) => rules.presence().of(index, answer),
            None => rules.presence().of_kind(from.kind, answer),
        };
        let only = reversal.filter(|_| !answer);
        let same_stan = reversal.filter(|r| r.stan == StanRule::Same && !answer);
        let referred = same_stan.is_some_and(|r| r.original == OriginalRule::Referred);
        let original = if referred { &from.referred } else { &from.original };
        let writer = Self {
            rules,
            from,
            mti,
            entry,
            need,
            answer,
            allowed: only.map_or(FieldSet::ALL, |r| r.fields).without(need.never),
            original: original.as_ref(),
            partial: is_of_part(entry, from),
        };
        if let Some(stan) = from.original.as_ref().and_then(|o| o.stan)
            && same_stan.is_some()
            && from.stan != Some(stan)
        {
            return Err(WriteError::OtherStan { de: writer.de_of(Atom::Stan) });
        }
        Ok(writer)
    }

    fn de_of(&self, atom: Atom) -> u8 {
        self.rules.fields().element_of(atom).unwrap_or_default()
    }

    fn has(&self, subject: Subject) -> bool {
        match subject {
            Subject::Original => self.original.is_some(),
            Subject::Replacement => {
                self.from.replacement_amount.is_some() && !self.partial && !self.answer
            }
            Subject::OriginalAmount => self.partial,
            // A date that is in no year is none.
            Subject::Settlement => {
                self.from.settlement_date.is_some() && self.from.settlement_year.is_some()
            }
        }
    }

    fn may_write(&self, de: u8) -> bool {
        self.allowed.contains(de)
    }

    /// What is declared lossy is left out whole where it does not fit.
    #[cold]
    fn forgive(&self, de: u8, unfit: WriteError) -> Result<(), WriteError> {
        let forgivable = matches!(unfit, WriteError::TooLong { .. } | WriteError::Length { .. });
        if forgivable && self.rules.fields().lossy().contains(de) { Ok(()) } else { Err(unfit) }
    }

    #[inline(never)]
    fn put_link(&self, link: &Link, message: &mut Message) -> Result<(), WriteError> {
        let Some(atom) = link.whole else { return self.put_parts(link, message) };
        match self.plain(atom) {
            Some(Value::Number(code)) if atom == Atom::Currency && link.shape.class == Class::A => {
                put_letters(link, code, message)
            }
            Some(value) => put(link.de, atom, link.shape, value, message),
            None if is_coded(atom) => match self.value(atom, link.de)? {
                Some(value) => put(link.de, atom, link.shape, value, message),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// A composite is there when one of its typed fields, or what tells the message, is.
    fn put_parts(&self, link: &Link, message: &mut Message) -> Result<(), WriteError> {
        if link.subject.is_some_and(|subject| !self.has(subject)) {
            return Ok(());
        }
        let mut room = Room::EMPTY;
        let mut has_content = false;
        let mut missing = None;
        for (index, part) in (0_u8..).zip(&link.parts) {
            let found = match &part.what {
                What::Fill(fill) => Some(Value::Long(fill)),
                What::Mark => self.mark(link.de, index).map(Value::Long),
                What::Atom(atom) => self.value(*atom, link.de)?,
            };
            let from_default =
                matches!(part.what, What::Mark) && self.literal(link.de, index).is_none();
            has_content |= found.is_some() && !matches!(part.what, What::Fill(_)) && !from_default;
            let Some(value) = found.or_else(|| self.filling(part)) else {
                if part.optional {
                    break;
                }
                missing.get_or_insert(name_of(part));
                continue;
            };
            push_part(link.de, part, value, &mut room)?;
        }
        match missing {
            _ if !has_content => Ok(()),
            Some(name) => Err(WriteError::Missing { de: link.de, name }),
            None => set(message, link.de, room.get()),
        }
    }

    /// Parts of original data that are filled with zeros when nobody knows them (`F90`).
    fn filling(&self, part: &Part) -> Option<Value<'static>> {
        let What::Atom(atom) = part.what else { return None };
        // What a composite of totals has no word for is nothing: no flag, no transactions.
        if atom.is_settlement() && self.from.reconciliation.is_some() {
            return Some(Value::Number(0));
        }
        let filled = matches!(
            atom,
            Atom::OriginalMti
                | Atom::OriginalTransmission
                | Atom::OriginalAcquirer
                | Atom::OriginalForwarder
        );
        (filled && !part.optional && self.original.is_some()).then_some(Value::Number(0))
    }

    fn literal(&self, de: u8, part: u8) -> Option<&'a [u8]> {
        let mut literals = self.entry?.literals();
        literals.find(|l| l.de == de && l.part == Some(part)).map(|l| &*l.mask)
    }

    fn mark(&self, de: u8, part: u8) -> Option<&'a [u8]> {
        self.literal(de, part).or_else(|| self.rules.fields().default_of(de, Some(part)))
    }

    /// Without a currency field only the dialect's own currency can be said.
    fn check_currency(&self) -> Result<(), WriteError> {
        let fields = self.rules.fields();
        let amount = self.from.amount.or(self.from.replacement_amount);
        match amount.map(|a| a.currency) {
            Some(currency)
                if fields.currency() != Some(currency)
                    && fields.has(Atom::Amount)
                    && !fields.has(Atom::Currency) =>
            {
                Err(WriteError::Currency { currency, only: fields.currency() })
            }
            _ => Ok(()),
        }
    }

    /// Sets what tells this message from others: whole fields, over what stands there.
    fn put_literals(&self, message: &mut Message) -> Result<(), WriteError> {
        let partial = self.entry.filter(|_| self.partial).map_or(&[][..], Entry::partial);
        let replaced = |l: &&Literal| !partial.iter().any(|p| p.de == l.de);
        let literals = self.entry.into_iter().flat_map(Entry::literals).filter(replaced);
        let literals = literals.chain(partial);
        for literal in literals.filter(|l| l.part.is_none() && self.may_write(l.de)) {
            let present = message.get(literal.de).filter(|v| v.len() == literal.mask.len());
            // An answer says the processing code as its asker did.
            let echo = self.answer && literal.de == 3;
            if present.is_some_and(|value| echo || literal.fits(value)) {
                continue;
            }
            if literal.de == 3 && self.from.special && present.is_some() {
                return Err(WriteError::NoPlace { de: 3 });
            }
            let mut room = Room::EMPTY;
            let present = present.unwrap_or(&ZEROS);
            for (mask, old) in literal.mask.iter().zip(present) {
                let _ = room.push(&[if *mask == b'x' { *old } else { *mask }]);
            }
            set(message, literal.de, room.get())?;
        }
        Ok(())
    }

    /// An amount that is stated is said, or nothing is.
    fn check_places(&self) -> Result<(), WriteError> {
        let from = self.from;
        if from.replacement_amount.is_none() && from.original_amount.is_none() {
            return Ok(());
        }
        let atom = if self.partial { Atom::OriginalAmount } else { Atom::ReplacementAmount };
        let needed = self.partial || (from.replacement_amount.is_some() && !self.answer);
        let place = self.rules.fields().holder_of(atom);
        match place.filter(|de| self.may_write(*de)) {
            None if needed => Err(WriteError::NoPlace { de: place.unwrap_or(95) }),
            _ => Ok(()),
        }
    }

    /// Money besides the amount: a reversal takes back what its original names, whatever it was.
    fn put_money(&self, message: &mut Message) -> Result<(), WriteError> {
        let reverses = matches!(self.from.kind, Kind::Reversal(_));
        let missing = self.from.unplaced.filter(|_| !self.answer && !reverses);
        if let Some(de) = missing {
            return Err(WriteError::NoPlace { de });
        }
        let fields = self.rules.fields();
        for (de, value) in self.from.money.iter().filter(|_| !self.answer) {
            let allowed = fields.money().contains(de) && fields.carry(false).contains(de);
            if !allowed || !self.may_write(de) {
                if reverses {
                    continue;
                }
                return Err(WriteError::NoPlace { de });
            }
            check_carried(de, value, fields.carried_shape(de))?;
            set(message, de, value)?;
        }
        Ok(())
    }

    /// What the answer to the original said for this to repeat.
    fn put_kept(&self, message: &mut Message) -> Result<(), WriteError> {
        let fields = self.rules.fields();
        for (de, value) in self.from.kept.iter().filter(|_| !self.answer) {
            if fields.keep().contains(de) && self.may_write(de) {
                check_carried(de, value, fields.carried_shape(de))?;
                set(message, de, value)?;
            }
        }
        Ok(())
    }

    fn put_carried(&self, message: &mut Message) -> Result<(), WriteError> {
        if !self.from.money.is_empty() || self.from.unplaced.is_some() {
            self.put_money(message)?;
        }
        if !self.from.kept.is_empty() {
            self.put_kept(message)?;
        }
        let fields = self.rules.fields();
        let allowed = fields.carry(self.answer);
        for (de, value) in self.from.carried.iter() {
            if !allowed.contains(de) || !self.may_write(de) {
                continue;
            }
            let shape = fields.carried_shape(de);
            let letters = shape.filter(|s| is_currency(de) && s.class == Class::A).and_then(|_| {
                let code = std::str::from_utf8(value).ok()?.parse().ok();
                code.and_then(Currency::new).and_then(Currency::letters)
            });
            let value = letters.map_or(value, str::as_bytes);
            let fits = check_carried(de, value, shape);
            match fits.and_then(|()| set(message, de, value)) {
                Ok(()) => {}
                Err(unfit) => self.forgive(de, unfit)?,
            }
        }
        Ok(())
    }

    fn put_defaults(&self, message: &mut Message) -> Result<(), WriteError> {
        let present = FieldSet::from_words(message.present());
        for de in self.need.must.without(present).iter() {
            if let Some(value) = self.rules.fields().default_of(de, None) {
                set(message, de, value)?;
            }
        }
        Ok(())
    }

    fn put_mac(&self, message: &mut Message) -> Result<(), WriteError> {
        match self.rules.mac().filter(|mac| mac.requires(self.mti)) {
            Some(mac) => set(message, mac.field, ZEROS.get(..mac.width).unwrap_or_default()),
            None => Ok(()),
        }
    }
}

/// Whether the message says by its function that its amount is not its original's.
fn is_of_part(entry: Option<&Entry>, from: &Canonical) -> bool {
    let differs = match from.kind {
        Kind::Reversal(_) => from.replacement_amount.is_some(),
        _ => from.original_amount.is_some() && from.original_amount != from.amount,
    };
    differs && entry.is_some_and(|entry| !entry.partial().is_empty())
}

/// The currency where the dialect spells it in letters.
fn put_letters(link: &Link, code: u64, message: &mut Message) -> Result<(), WriteError> {
    let (de, name) = (link.de, Atom::Currency.word());
    let currency = u16::try_from(code).ok().and_then(Currency::new);
    let letters = currency.and_then(Currency::letters);
    let letters = letters.ok_or(WriteError::NoCode { de, name })?;
    put(de, Atom::Currency, link.shape, Value::Long(letters.as_bytes()), message)
}

/// The MTI and entry of what is to be said. An answer to an MTI the dialect knows is that MTI's.
fn choose<'a>(
    rules: &'a Rules,
    from: &Canonical,
) -> Result<(Mti, Option<usize>, Option<&'a Entry>), WriteError> {
    let messages = rules.messages();
    let none = WriteError::NoMessage { kind: from.kind, flow: from.flow };
    if from.flow.is_answer() {
        let asked = from.mti.and_then(|m| Mti::new(m.as_bytes()).ok());
        if let Some(asked) = asked.filter(|m| !m.is_response() && messages.has(*m)) {
            let entry = messages.answering(from.kind, asked);
            return Ok((asked.response(), entry.map(|(i, _)| i), entry.map(|(_, e)| e)));
        }
        let (index, entry) = messages.written(from.kind, from.flow).ok_or(none)?;
        return Ok((entry.mti.response(), Some(index), Some(entry)));
    }
    let (index, entry) = messages.written(from.kind, from.flow).ok_or(none)?;
    let repeats = from.repeat && entry.repeats;
    Ok((if repeats { entry.mti.as_repeat() } else { entry.mti }, Some(index), Some(entry)))
}
