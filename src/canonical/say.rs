//! What a meaning says in each typed field: characters, numbers, codes.
//!
//! Contract: `None` where it says nothing; an authorization code is never invented; a code the
//! receiver does not know under the same class becomes the default of that class. Deliberately
//! absent: widths ([`super::render`]), and which field goes where ([`super::write`]).

use super::render::Value;
use super::write::Writer;
use super::{Answer, Flow, Kind, OriginalData, Reason, WriteError};
use crate::iso8583::rules::Atom;
use crate::money::Amount;
use crate::sensitive::{Pan, PinBlock, Track};
use crate::text::{Short, Text};

impl<'a> Writer<'a> {
    /// The card number's digits.
    #[inline]
    pub(super) fn card(&self) -> Option<&'a [u8]> {
        self.from.pan.as_ref().map(Pan::expose)
    }

    /// What it says, whatever the field is like; `None` for what [`Self::value`] alone knows.
    pub(super) fn plain(&self, atom: Atom) -> Option<Value<'a>> {
        let from = self.from;
        match atom {
            Atom::Pan => self.card().map(Value::Long),
            Atom::Track2 => from.track2.as_ref().map(Track::expose).map(Value::Long),
            Atom::PinBlock => from.pin_block.as_ref().map(PinBlock::expose).map(Value::Long),
            Atom::ProcessingCode => in_text(&from.processing_code),
            Atom::Transmission => in_text(&from.transmission),
            Atom::LocalTime => in_text(&from.local_time),
            Atom::LocalDate => in_text(&from.local_date),
            Atom::Expiry => in_text(&from.expiry),
            Atom::SettlementDate => in_text(&from.settlement_date),
            Atom::MerchantType => in_text(&from.merchant_type),
            Atom::CardSequence => in_text(&from.card_sequence),
            Atom::NetworkId => in_text(&from.network_id),
            Atom::PosCondition => in_text(&from.pos_condition),
            Atom::PinCapture => in_text(&from.pin_capture),
            Atom::Acquirer => in_text(&from.acquirer),
            Atom::Forwarder => in_text(&from.forwarder),
            Atom::Rrn => in_text(&from.rrn),
            Atom::AuthId => in_text(&from.auth_id),
            Atom::Terminal => in_text(&from.terminal),
            Atom::Merchant => in_text(&from.merchant),
            Atom::Stan => from.stan.map(u64::from).map(Value::Number),
            Atom::Amount => self.amount().map(Value::Number),
            Atom::PosEntryMode | Atom::Answer | Atom::Reason | Atom::NetAmount => None,
            _ => self.seldom(atom),
        }
    }

    /// What few messages say.
    fn seldom(&self, atom: Atom) -> Option<Value<'a>> {
        let from = self.from;
        let amount = from.amount.or(from.replacement_amount);
        let currency = || amount.map(|a| a.currency).or(from.currency);
        let number = match atom {
            Atom::Currency => currency().map(|c| c.code().into()),
            Atom::Exponent => currency().map(|c| c.exponent().into()),
            Atom::ReplacementAmount => from.replacement_amount.map(|a| a.minor),
            Atom::OriginalAmount => self.before()?.minor.into(),
            Atom::OriginalCurrency => u64::from(self.before()?.currency.code()).into(),
            Atom::OriginalExponent => u64::from(self.before()?.currency.exponent()).into(),
            Atom::LocalYear => from.local_year.map(u64::from),
            Atom::SettlementYear => from.settlement_year.map(u64::from),
            Atom::AcceptsPartial => Some(from.accepts_partial.into()),
            Atom::Batch => self.batch().map(u64::from),
            Atom::OriginalStan => self.original?.stan.map(u64::from),
            Atom::OriginalBatch => self.original?.batch.map(u64::from),
            Atom::OriginalYear => self.original_year(self.original?).map(u64::from),
            _ if atom.is_settlement() => self.total(atom),
            _ => return self.original_text(atom).map(Value::Long),
        };
        number.map(Value::Number)
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

    /// What it says in this data element, whole or in a part.
    ///
    /// # Errors
    /// [`WriteError`] where the dialect has no code for it, or the entry mode does not fit.
    pub(super) fn value(&self, atom: Atom, de: u8) -> Result<Option<Value<'a>>, WriteError> {
        match atom {
            Atom::PosEntryMode => self.pos_entry_mode(de),
            Atom::Answer | Atom::Reason => self.code(atom, de),
            Atom::NetAmount => {
                let stated = self.from.reconciliation.as_ref();
                Ok(stated.and_then(|r| r.totals).map(|totals| Value::Signed(totals.net())))
            }
            _ => Ok(self.plain(atom)),
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
            return if fits { Ok(Some(Value::Long(mode))) } else { Err(unfit) };
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
        Ok(Short::of(&[b'0', read, pin]).map(Value::Short))
    }

    /// What `F4` says: where the function says that a part is reversed, what stands.
    #[inline]
    pub(super) fn amount(&self) -> Option<u64> {
        let stands = self.partial && matches!(self.from.kind, Kind::Reversal(_));
        let amount = if stands { self.from.replacement_amount } else { self.from.amount };
        amount.map(|amount| amount.minor)
    }

    /// What the original's amount was, where this one's is another.
    fn before(&self) -> Option<Amount> {
        let reverses = matches!(self.from.kind, Kind::Reversal(_));
        let before = if reverses { self.from.amount } else { self.from.original_amount };
        before.filter(|_| self.partial)
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
            Atom::OriginalMti => self.original_mti(original),
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

    /// What we sent has the MTI that this dialect writes for it; of others the stated MTI tells,
    /// where the dialect has such originals.
    fn original_mti(&self, original: &'a OriginalData) -> Option<&'a [u8]> {
        let sent = original.sent;
        let ours = sent.and_then(|sent| self.rules.messages().written(sent.kind, sent.flow));
        let stated = || match self.entry {
            Some(entry) => entry.original_mti(original.mti),
            None => bytes(&original.mti),
        };
        ours.map(|(_, entry)| &entry.mti.as_bytes()[..]).or_else(stated)
    }

    /// A date later in the calendar than today's was last year.
    fn original_year(&self, original: &OriginalData) -> Option<u8> {
        let year = self.from.local_year?;
        let before = original.date > self.from.local_date;
        Some(if before { (year + 99) % 100 } else { year })
    }

    /// The response code, or in a reversal the reason.
    fn code(&self, atom: Atom, de: u8) -> Result<Option<Value<'a>>, WriteError> {
        let reverses = matches!(self.from.kind, Kind::Reversal(_)) && !self.answer;
        let rule = self.rules.reversal().filter(|_| reverses);
        let in_answer = rule.is_some_and(|r| r.reason_in_answer());
        if atom == Atom::Reason || in_answer {
            let Some(reason) = self.from.reason.filter(|_| rule.is_some()) else {
                // An advice may say why it is one.
                let advises = atom == Atom::Reason && self.from.flow == Flow::Advice;
                let why = self.from.reason.filter(|_| advises && !reverses);
                let code = why.and_then(|why| self.rules.reasons().advice(why));
                return Ok(code.map(|c| in_code(&c)).unwrap_or_default());
            };
            let code = self.rules.reasons().reversal(reason);
            return code.map(|c| in_code(&c)).ok_or(WriteError::NoCode { de, name: "reason" });
        }
        let advises = !self.answer && matches!(self.from.kind, Kind::Transaction(_));
        let mute = advises && self.rules.fields().uncoded_advices();
        let Some(answer) = self.from.answer.filter(|_| self.from.flow != Flow::Request && !mute)
        else {
            return Ok(None);
        };
        let balance = self.from.reconciliation.as_ref().and_then(|r| r.balance);
        if let (Some(balance), Answer::Own(Reason::Accepted)) = (balance, &answer)
            && let Some(code) = self.rules.fields().balance_code(balance)
        {
            return Ok(in_code(&code));
        }
        let code = self.rules.spell(&answer, self.from.kind);
        code.map(|c| in_code(&c)).ok_or(WriteError::NoCode { de, name: "answer" })
    }
}

/// What only [`Writer::value`] says.
pub(super) fn is_coded(atom: Atom) -> bool {
    matches!(atom, Atom::PosEntryMode | Atom::Answer | Atom::Reason | Atom::NetAmount)
}

#[inline]
fn in_text<const N: usize>(text: &Option<Text<N>>) -> Option<Value<'_>> {
    let text = text.as_ref()?;
    Some(text.short().map_or_else(|| Value::Long(text.as_bytes()), Value::Short))
}

fn in_code(code: &Text<4>) -> Option<Value<'static>> {
    code.short().map(Value::Short)
}

fn bytes<const N: usize>(text: &Option<Text<N>>) -> Option<&[u8]> {
    text.as_ref().map(Text::as_bytes)
}
