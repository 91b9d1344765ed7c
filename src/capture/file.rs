//! The two file formats: from bytes to packets with their link layer.
//!
//! Contract: never looks beyond the bytes; a length is judged before it is used; a file that
//! contradicts itself ends with an error at its byte. Deliberately absent: time stamps, comments,
//! name tables and secrets that pcapng may hold: such blocks are passed over.

use super::{CaptureError, CaptureFault};

const SECTION: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
/// The packet block of the first drafts; some tools still write it.
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
/// File header and packet header of classic pcap.
const PCAP_HEADER: usize = 24;
const RECORD_HEADER: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    fn of(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        }
    }
}

/// Which format a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pcap(Order),
    Pcapng,
}

impl Kind {
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.first_chunk::<4>()? {
            [0xA1, 0xB2, 0xC3, 0xD4] | [0xA1, 0xB2, 0x3C, 0x4D] => Some(Self::Pcap(Order::Big)),
            [0xD4, 0xC3, 0xB2, 0xA1] | [0x4D, 0x3C, 0xB2, 0xA1] => Some(Self::Pcap(Order::Little)),
            [0x0A, 0x0D, 0x0D, 0x0A] => Some(Self::Pcapng),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pcap(_) => "pcap",
            Self::Pcapng => "pcapng",
        }
    }
}

/// A packet as captured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    /// Link-layer type by its registered number.
    pub(super) link: u16,
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
}

/// An interface of a pcapng section.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: u16,
    /// Most bytes captured of a packet; 0 is all.
    snap: u32,
}

/// Goes through a file packet by packet.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    kind: Kind,
    order: Order,
    interfaces: Vec<Interface>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], kind: Kind) -> Result<Self, CaptureError> {
        let order = if let Kind::Pcap(order) = kind { order } else { Order::Little };
        let mut reader = Self { bytes, at: 0, kind, order, interfaces: Vec::new() };
        match kind {
            Kind::Pcap(_) => {
                // The upper half says how long a check sum behind each packet is.
                let link = (reader.u32(20)? & 0xFFFF) as u16;
                reader.interfaces.push(Interface { link, snap: 0 });
                reader.at = PCAP_HEADER;
            }
            Kind::Pcapng => drop(reader.section()?),
        }
        Ok(reader)
    }

    /// The next packet; `None` at the end of the file.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet<'a>>, CaptureError> {
        match self.kind {
            Kind::Pcap(_) => self.record(),
            Kind::Pcapng => {
                while self.at < self.bytes.len() {
                    if let Some(packet) = self.block()? {
                        return Ok(Some(packet));
                    }
                }
                Ok(None)
            }
        }
    }

    fn record(&mut self) -> Result<Option<Packet<'a>>, CaptureError> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let captured = self.u32(self.at + 8)?;
        let bytes = self.slice(self.at + RECORD_HEADER, captured)?;
        self.at += RECORD_HEADER + bytes.len();
        let link = self.interfaces.first().map_or(0, |i| i.link);
        Ok(Some(Packet { link, bytes }))
    }

    fn block(&mut self) -> Result<Option<Packet<'a>>, CaptureError> {
        let begin = self.at;
        if self.u32(begin)? == SECTION {
            self.section()?;
        }
        let kind = self.u32(begin)?;
        let size = self.whole_block(begin)?;
        let packet = match kind {
            INTERFACE => {
                let least = self.least(begin, size, 20);
                least?;
                let link = self.u16(begin + 8)?;
                let snap = self.u32(begin + 12)?;
                self.interfaces.push(Interface { link, snap });
                None
            }
            ENHANCED_PACKET | OLD_PACKET => {
                self.least(begin, size, 32)?;
                let of = match kind {
                    OLD_PACKET => u32::from(self.u16(begin + 8)?),
                    _ => self.u32(begin + 8)?,
                };
                let captured = self.u32(begin + 20)?;
                Some(self.packet(begin, of, captured, begin + 28, size)?)
            }
            SIMPLE_PACKET => {
                self.least(begin, size, 16)?;
                let sent = self.u32(begin + 8)?;
                let snap = self.interfaces.first().map_or(0, |i| i.snap);
                let captured = if snap == 0 { sent } else { sent.min(snap) };
                Some(self.packet(begin, 0, captured, begin + 12, size)?)
            }
            _ => None,
        };
        self.at = begin + size;
        Ok(packet)
    }

    /// A packet block's bytes.
    fn packet(
        &self,
        begin: usize,
        of: u32,
        captured: u32,
        from: usize,
        size: usize,
    ) -> Result<Packet<'a>, CaptureError> {
        let known = self.interfaces.len();
        let interface = usize::try_from(of).ok().and_then(|of| self.interfaces.get(of));
        let why = CaptureFault::Interface { got: of, known };
        let link = interface.ok_or(CaptureError { at: begin, why })?.link;
        let room = (begin + size).saturating_sub(4 + from);
        if usize::try_from(captured).map_or(true, |captured| captured > room) {
            let why = CaptureFault::Packet { got: captured, room };
            return Err(CaptureError { at: begin, why });
        }
        Ok(Packet { link, bytes: self.slice(from, captured)? })
    }

    /// A section header: its byte order holds for what follows, and interfaces begin anew.
    fn section(&mut self) -> Result<(), CaptureError> {
        let at = self.at + 8;
        let magic = self.four(at)?;
        self.order = match (Order::Big.of(magic), Order::Little.of(magic)) {
            (BYTE_ORDER, _) => Order::Big,
            (_, BYTE_ORDER) => Order::Little,
            _ => return Err(CaptureError { at, why: CaptureFault::ByteOrder }),
        };
        let size = self.whole_block(self.at)?;
        self.least(self.at, size, 28)?;
        self.interfaces.clear();
        Ok(())
    }

    /// The size of a block that stands whole in the file and says the same size at its end.
    fn whole_block(&self, begin: usize) -> Result<usize, CaptureError> {
        let began = self.u32(begin + 4)?;
        let size = usize::try_from(began).unwrap_or(usize::MAX);
        if began < 12 || !began.is_multiple_of(4) {
            let why = CaptureFault::Block { got: began, least: 12 };
            return Err(CaptureError { at: begin, why });
        }
        self.slice(begin, began)?;
        let got = self.u32(begin + size - 4)?;
        let why = CaptureFault::BlockEnd { got, began };
        if got == began { Ok(size) } else { Err(CaptureError { at: begin, why }) }
    }

    fn least(&self, begin: usize, size: usize, least: u32) -> Result<(), CaptureError> {
        let got = u32::try_from(size).unwrap_or(u32::MAX);
        let why = CaptureFault::Block { got, least };
        if got >= least { Ok(()) } else { Err(CaptureError { at: begin, why }) }
    }

    fn slice(&self, from: usize, size: u32) -> Result<&'a [u8], CaptureError> {
        let have = self.bytes.len().saturating_sub(from);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let found = from.checked_add(size).and_then(|to| self.bytes.get(from..to));
        let why = CaptureFault::Short { need: size.saturating_sub(have) };
        found.ok_or(CaptureError { at: self.bytes.len(), why })
    }

    fn four(&self, at: usize) -> Result<[u8; 4], CaptureError> {
        let found = self.slice(at, 4)?;
        Ok(found.first_chunk().copied().unwrap_or_default())
    }

    fn u32(&self, at: usize) -> Result<u32, CaptureError> {
        Ok(self.order.of(self.four(at)?))
    }

    fn u16(&self, at: usize) -> Result<u16, CaptureError> {
        let two = self.slice(at, 2)?.first_chunk::<2>().copied().unwrap_or_default();
        Ok(match self.order {
            Order::Big => u16::from_be_bytes(two),
            Order::Little => u16::from_le_bytes(two),
        })
    }
}
