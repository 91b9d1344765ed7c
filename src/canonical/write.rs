//! Meaning to wire: a [`Canonical`] and a dialect's rules give a [`Message`].
//!
//! Contract: only fields that the rules name or allow are written; a value that does not fit is
//! an error with the field, never cut (fields the dialect declares lossy are left out whole); an
//! authorization code is never invented; a code the receiver does not know under the same class
//! becomes the default of that class. Allocates nothing once `message` has held a few messages.
//! Deliberately absent: MAC arithmetic – a place for the MAC is left, [`crate::iso8583::mac`]
//! fills it – and the header of a request, which is the line's.

use super::read::{is_currency, name_of};
use super::render::{
    Room, Value, ZEROS, check_carried, push_part, put_number, put_text, put_value, set,
};
use super::{Answer, Canonical, Flow, Kind, OriginalData, Reason, WriteError};
use crate::iso8583::rules::{
    Atom, Breach, Entry, FieldSet, Link, Need, Part, Rules, StanRule, What,
};
use crate::iso8583::{Class, Message, Mti};
use crate::money::Currency;
use crate::sensitive::{Pan, PinBlock, Track};
use crate::text::Text;

pub(super) fn write(
    rules: &Rules,
    from: &Canonical,
    message: &mut Message,
) -> Result<(), WriteError> {
    let writer = Writer::new(rules, from)?;
    writer.check_currency()?;
    message.clear();
    message.set_mti(writer.mti);
    for de in writer.allowed.and(rules.fields().mapped()).iter() {
        if let Some(link) = rules.fields().link(de) {
            match writer.put_link(link, message) {
                Ok(()) => {}
                Err(unfit) => writer.forgive(de, unfit)?,
            }
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
struct Writer<'a> {
    rules: &'a Rules,
    from: &'a Canonical,
    mti: Mti,
    entry: Option<&'a Entry>,
    need: &'a Need,
    answer: bool,
    /// What is not forbidden; of a reversal, only its fields.
    allowed: FieldSet,
    /// What stands in the original data.
    original: Option<&'a OriginalData>,
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
        let original = if same_stan.is_some() { &from.referred } else { &from.original };
        let writer = Self {
            rules,
            from,
            mti,
            entry,
            need,
            answer,
            allowed: only.map_or(FieldSet::ALL, |r| r.fields).without(need.never),
            original: original.as_ref(),
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

    fn may_write(&self, de: u8) -> bool {
        self.allowed.contains(de)
    }

    /// What is declared lossy is left out whole where it does not fit.
    #[cold]
    fn forgive(&self, de: u8, unfit: WriteError) -> Result<(), WriteError> {
        let forgivable = matches!(unfit, WriteError::TooLong { .. } | WriteError::Length { .. });
        if forgivable && self.rules.fields().lossy().contains(de) { Ok(()) } else { Err(unfit) }
    }

    #[inline]
    fn put_link(&self, link: &Link, message: &mut Message) -> Result<(), WriteError> {
        let Some(atom) = link.whole else { return self.put_parts(link, message) };
        if let Some(text) = self.characters(atom) {
            return put_text(link.de, atom.word(), link.shape, text, message);
        }
        if atom == Atom::Currency && link.shape.class == Class::A {
            return self.put_letters(link, message);
        }
        if let Some(number) = self.number(atom) {
            return put_number(link.de, atom.word(), link.shape, number, message);
        }
        // What is left is rare: no value at all, codes, and the entry mode between versions.
        let rare = [Atom::PosEntryMode, Atom::Answer, Atom::Reason, Atom::NetAmount];
        if !rare.contains(&atom) {
            return Ok(());
        }
        let Some(value) = self.value(atom, link.de)? else { return Ok(()) };
        put_value(link.de, atom.word(), link.shape, &value, message)
    }

    /// The currency where the dialect spells it in letters.
    fn put_letters(&self, link: &Link, message: &mut Message) -> Result<(), WriteError> {
        let Some(code) = self.number(Atom::Currency) else { return Ok(()) };
        let name = Atom::Currency.word();
        let currency = u16::try_from(code).ok().and_then(Currency::new);
        let letters = currency.and_then(Currency::letters);
        let letters = letters.ok_or(WriteError::NoCode { de: link.de, name })?;
        put_text(link.de, name, link.shape, letters.as_bytes(), message)
    }

    /// A composite is there when one of its typed fields, or what tells the message, is.
    fn put_parts(&self, link: &Link, message: &mut Message) -> Result<(), WriteError> {
        let mut room = Room::EMPTY;
        let mut has_content = false;
        let mut missing = None;
        for (index, part) in (0_u8..).zip(&link.parts) {
            let found = match &part.what {
                What::Fill(fill) => Some(Value::Text(fill)),
                What::Mark => self.mark(link.de, index).map(Value::Text),
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
            push_part(link.de, part, &value, &mut room)?;
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

    /// Values that are characters already.
    #[inline]
    fn characters(&self, atom: Atom) -> Option<&'a [u8]> {
        let from = self.from;
        match atom {
            Atom::Pan => from.pan.as_ref().map(Pan::expose),
            Atom::Track2 => from.track2.as_ref().map(Track::expose),
            Atom::PinBlock => from.pin_block.as_ref().map(PinBlock::expose),
            Atom::ProcessingCode => bytes(&from.processing_code),
            Atom::Transmission => bytes(&from.transmission),
            Atom::LocalTime => bytes(&from.local_time),
            Atom::LocalDate => bytes(&from.local_date),
            Atom::Expiry => bytes(&from.expiry),
            Atom::SettlementDate => bytes(&from.settlement_date),
            Atom::MerchantType => bytes(&from.merchant_type),
            Atom::CardSequence => bytes(&from.card_sequence),
            Atom::NetworkId => bytes(&from.network_id),
            Atom::PosCondition => bytes(&from.pos_condition),
            Atom::PinCapture => bytes(&from.pin_capture),
            Atom::Acquirer => bytes(&from.acquirer),
            Atom::Forwarder => bytes(&from.forwarder),
            Atom::Rrn => bytes(&from.rrn),
            Atom::AuthId => bytes(&from.auth_id),
            Atom::Terminal => bytes(&from.terminal),
            Atom::Merchant => bytes(&from.merchant),
            _ => self.original_text(atom),
        }
    }

    /// Values that are numbers.
    #[inline]
    fn number(&self, atom: Atom) -> Option<u64> {
        let from = self.from;
        let amount = from.amount.or(from.replacement_amount);
        let currency = || amount.map(|a| a.currency).or(from.currency);
        match atom {
            Atom::Amount => from.amount.map(|a| a.minor),
            Atom::ReplacementAmount => from.replacement_amount.map(|a| a.minor),
            Atom::Currency => currency().map(|c| c.code().into()),
            Atom::Exponent => currency().map(|c| c.exponent().into()),
            Atom::LocalYear => from.local_year.map(u64::from),
            Atom::AcceptsPartial => Some(from.accepts_partial.into()),
            Atom::Stan => from.stan.map(u64::from),
            Atom::Batch => self.batch().map(u64::from),
            Atom::OriginalStan => self.original?.stan.map(u64::from),
            Atom::OriginalBatch => self.original?.batch.map(u64::from),
            Atom::OriginalYear => self.original_year(self.original?).map(u64::from),
            _ if atom.is_settlement() => self.total(atom),
            _ => None,
        }
    }

    fn total(&self, atom: Atom) -> Option<u64> {
        let stated = self.from.reconciliation.as_ref()?;
        match atom {
            Atom::SettlementCurrency => return stated.currency.map(|c| c.code().into()),
            Atom::SettlementCode => return stated.balance.map(|b| b.digit().into()),
            _ => {}
        }
        let totals = stated.totals?;
        let standing = totals.standing();
        Some(match atom {
            Atom::CreditsNumber => totals.credits.count,
            Atom::CreditsReversalNumber => totals.credits_reversed.count,
            Atom::DebitsNumber => totals.debits.count,
            Atom::DebitsReversalNumber => totals.debits_reversed.count,
            Atom::InquiriesNumber => totals.inquiries,
            Atom::AuthorizationsNumber => totals.authorizations,
            Atom::CreditsAmount => totals.credits.minor,
            Atom::CreditsReversalAmount => totals.credits_reversed.minor,
            Atom::DebitsAmount => totals.debits.minor,
            Atom::DebitsReversalAmount => totals.debits_reversed.minor,
            Atom::StandingCreditsNumber => standing.credits.count,
            Atom::StandingDebitsNumber => standing.debits.count,
            Atom::StandingCreditsAmount => standing.credits.minor,
            Atom::StandingDebitsAmount => standing.debits.minor,
            _ => return None,
        })
    }

    fn value(&self, atom: Atom, de: u8) -> Result<Option<Value<'a>>, WriteError> {
        match atom {
            Atom::PosEntryMode => self.pos_entry_mode(de),
            Atom::Answer | Atom::Reason => self.code(atom, de),
            Atom::NetAmount => {
                let stated = self.from.reconciliation.as_ref();
                Ok(stated.and_then(|r| r.totals).map(|totals| Value::Signed(totals.net())))
            }
            _ => {
                let text = self.characters(atom);
                Ok(text.map(Value::Text).or_else(|| self.number(atom).map(Value::Number)))
            }
        }
    }

    /// Twelve positions (1993) become three digits (1987) where the field has no more room: how
    /// the card was read (position 7), and whether a PIN could be entered (position 2). The way
    /// up would have to invent nine positions and is not taken.
    fn pos_entry_mode(&self, de: u8) -> Result<Option<Value<'a>>, WriteError> {
        let Some(mode) = self.from.pos_entry_mode.as_ref().map(Text::as_bytes) else {
            return Ok(None);
        };
        let room = self.rules.fields().link(de).map_or(0, |link| link.shape.max);
        let (3, [_, pin, _, _, _, _, read, ..]) = (room, mode) else {
            let (name, got) = (Atom::PosEntryMode.word(), mode.len());
            let fits = got == room;
            let unfit = WriteError::Length { de, name, want: room, got };
            return if fits { Ok(Some(Value::Text(mode))) } else { Err(unfit) };
        };
        let read = match read {
            b'6' => b'1',
            b'1'..=b'5' => *read,
            _ => b'0',
        };
        let pin = match pin {
            b'1' => b'1',
            b'0' | b'6' => b'2',
            _ => b'0',
        };
        Ok(Text::new(&[b'0', read, pin]).ok().map(Value::Code))
    }

    /// A reversal states the batch of its original.
    fn batch(&self) -> Option<u32> {
        let original = self.from.original.as_ref().and_then(|o| o.batch);
        let reverses = matches!(self.from.kind, Kind::Reversal(_)) && !self.answer;
        original.filter(|_| reverses).or(self.from.batch)
    }

    fn original_text(&self, atom: Atom) -> Option<&'a [u8]> {
        let original = self.original?;
        match atom {
            Atom::OriginalMti => match self.entry {
                Some(entry) => entry.original_mti(original.mti),
                None => bytes(&original.mti),
            },
            Atom::OriginalTransmission => bytes(&original.transmission),
            Atom::OriginalAcquirer => {
                bytes(&original.acquirer).or_else(|| bytes(&self.from.acquirer))
            }
            Atom::OriginalForwarder => bytes(&original.forwarder),
            Atom::OriginalDate => bytes(&original.date),
            Atom::OriginalTime => bytes(&original.time),
            _ => None,
        }
    }

    /// A date later in the calendar than today's was last year.
    fn original_year(&self, original: &OriginalData) -> Option<u8> {
        let year = self.from.local_year?;
        let before = original.date > self.from.local_date;
        Some(if before { (year + 99) % 100 } else { year })
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

    /// The response code, or in a reversal the reason.
    fn code(&self, atom: Atom, de: u8) -> Result<Option<Value<'a>>, WriteError> {
        let reverses = matches!(self.from.kind, Kind::Reversal(_)) && !self.answer;
        let rule = self.rules.reversal().filter(|_| reverses);
        let in_answer = rule.is_some_and(|r| r.reason_in_answer());
        if atom == Atom::Reason || in_answer {
            let Some(reason) = self.from.reason.filter(|_| rule.is_some()) else {
                return Ok(None);
            };
            let code = self.rules.reasons().reversal(reason);
            return code
                .map(|c| Some(Value::Code(c)))
                .ok_or(WriteError::NoCode { de, name: "reason" });
        }
        let Some(answer) = self.from.answer.filter(|_| self.from.flow != Flow::Request) else {
            return Ok(None);
        };
        let balance = self.from.reconciliation.as_ref().and_then(|r| r.balance);
        if let (Some(balance), Answer::Own(Reason::Accepted)) = (balance, &answer)
            && let Some(code) = self.rules.fields().balance_code(balance)
        {
            return Ok(Some(Value::Code(code)));
        }
        let code = self.rules.spell(&answer, self.from.kind);
        code.map(|c| Some(Value::Code(c))).ok_or(WriteError::NoCode { de, name: "answer" })
    }

    /// Sets what tells this message from others: whole fields, over what stands there.
    fn put_literals(&self, message: &mut Message) -> Result<(), WriteError> {
        let literals = self.entry.into_iter().flat_map(Entry::literals);
        for literal in literals.filter(|l| l.part.is_none() && self.may_write(l.de)) {
            let mut room = Room::EMPTY;
            let present = message.get(literal.de).filter(|v| v.len() == literal.mask.len());
            let present = present.unwrap_or(&ZEROS);
            for (mask, old) in literal.mask.iter().zip(present) {
                let _ = room.push(&[if *mask == b'x' { *old } else { *mask }]);
            }
            set(message, literal.de, room.get())?;
        }
        Ok(())
    }

    fn put_carried(&self, message: &mut Message) -> Result<(), WriteError> {
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

#[inline]
fn bytes<const N: usize>(text: &Option<Text<N>>) -> Option<&[u8]> {
    text.as_ref().map(Text::as_bytes)
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
