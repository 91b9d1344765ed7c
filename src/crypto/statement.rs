//! What a dialect says about its MAC: algorithm, padding, length, rendering.
//!
//! Contract: a [`MacStatement`] is always valid; reading one from configuration applies the
//! defaults of its algorithm and refuses what contradicts it. Which bytes the MAC covers is
//! said elsewhere in the dialect.

/// MAC algorithms (domain.md section 5). DES or triple DES is decided by the key's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub enum MacAlgorithm {
    /// ANSI X9.9, ISO 9797-1 algorithm 1: CBC-MAC with DES (8), triple DES (16, 24).
    #[serde(rename = "x9.9")]
    X99,
    /// ANSI X9.19, ISO 9797-1 algorithm 3: CBC with single DES, the last block triple DES (16).
    #[serde(rename = "x9.19")]
    X919,
    /// UnionPay POS "ECB": XOR-fold, hexadecimal text, two encryptions. DES (8), triple DES.
    #[serde(rename = "ecb-fold")]
    EcbFold,
    /// AES-CMAC (16, 24, 32).
    #[serde(rename = "aes-cmac")]
    AesCmac,
    /// AES CBC-MAC (16, 24, 32).
    #[serde(rename = "aes-cbc-mac")]
    AesCbcMac,
    /// SM4-CMAC (16).
    #[serde(rename = "sm4-cmac")]
    Sm4Cmac,
    /// SM4 CBC-MAC (16).
    #[serde(rename = "sm4-cbc-mac")]
    Sm4CbcMac,
    /// The UnionPay fold over 16-byte blocks with SM4 (16).
    #[serde(rename = "sm4-ecb-fold")]
    Sm4EcbFold,
}

/// How the last block is filled (ISO 9797-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Method 1: zeros up to a whole block, none when it is whole.
    Zeros,
    /// Method 2: one byte 80, then zeros.
    OneThenZeros,
}

/// How the MAC stands in its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rendering {
    /// As bytes.
    Raw,
    /// As upper-case hexadecimal text, two characters a byte.
    Hex,
}

/// How a line makes and checks its MACs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "Spec")]
pub struct MacStatement {
    algorithm: MacAlgorithm,
    padding: Padding,
    length: usize,
    rendering: Rendering,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    algorithm: MacAlgorithm,
    padding: Option<u8>,
    length: Option<usize>,
    rendering: Option<Rendering>,
}

/// Why a MAC statement was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// A padding other than 1 and 2.
    #[error("MAC, key `padding`: {0}, expected 1 (zeros) or 2 (80, then zeros)")]
    Padding(u8),
    /// A padding where the algorithm has its own.
    #[error("MAC, key `padding`: {0} has its own padding; leave the key out")]
    OwnPadding(&'static str),
    /// A length the algorithm does not give.
    #[error("MAC, key `length`: {got} bytes, but {what} gives {expected}")]
    Length {
        /// The algorithm.
        what: &'static str,
        /// Lengths it gives, in words.
        expected: &'static str,
        /// Bytes asked for.
        got: usize,
    },
}

impl MacAlgorithm {
    /// Its name as configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::X99 => "x9.9",
            Self::X919 => "x9.19",
            Self::EcbFold => "ecb-fold",
            Self::AesCmac => "aes-cmac",
            Self::AesCbcMac => "aes-cbc-mac",
            Self::Sm4Cmac => "sm4-cmac",
            Self::Sm4CbcMac => "sm4-cbc-mac",
            Self::Sm4EcbFold => "sm4-ecb-fold",
        }
    }

    /// Whether the padding is the statement's to choose.
    fn takes_padding(self) -> bool {
        matches!(self, Self::X99 | Self::X919 | Self::AesCbcMac | Self::Sm4CbcMac)
    }

    fn is_fold(self) -> bool {
        matches!(self, Self::EcbFold | Self::Sm4EcbFold)
    }

    /// Bytes of a cipher block.
    fn block_bytes(self) -> usize {
        if matches!(self, Self::X99 | Self::X919 | Self::EcbFold) { 8 } else { 16 }
    }

    /// What the field does with it: padding 1 with DES, 2 with younger ciphers; eight bytes
    /// raw, the folds four bytes as eight characters.
    pub fn statement(self) -> MacStatement {
        let zeros = self.block_bytes() == 8 || self.is_fold();
        MacStatement {
            algorithm: self,
            padding: if zeros { Padding::Zeros } else { Padding::OneThenZeros },
            length: if self.is_fold() { 4 } else { 8 },
            rendering: if self.is_fold() { Rendering::Hex } else { Rendering::Raw },
        }
    }
}

impl MacStatement {
    /// The algorithm.
    pub fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// The padding; without meaning for algorithms that have their own.
    pub fn padding(&self) -> Padding {
        self.padding
    }

    /// Bytes of the MAC that are kept: 4, 8 or 16.
    pub fn length(&self) -> usize {
        self.length
    }

    /// How it is written.
    pub fn rendering(&self) -> Rendering {
        self.rendering
    }

    /// Bytes it takes in its field.
    pub fn field_bytes(&self) -> usize {
        self.length * if self.rendering == Rendering::Hex { 2 } else { 1 }
    }

    /// The same with another padding.
    ///
    /// # Errors
    /// [`StatementError::OwnPadding`] where the algorithm has its own.
    pub fn with_padding(self, padding: Padding) -> Result<Self, StatementError> {
        if self.algorithm.takes_padding() {
            return Ok(Self { padding, ..self });
        }
        Err(StatementError::OwnPadding(self.algorithm.name()))
    }

    /// The same with another number of bytes kept.
    ///
    /// # Errors
    /// [`StatementError::Length`] when it is not 4, 8 or a whole block of 16.
    pub fn with_length(self, length: usize) -> Result<Self, StatementError> {
        let block = self.algorithm.block_bytes();
        if matches!(length, 4 | 8) || length == block {
            return Ok(Self { length, ..self });
        }
        let expected = if block == 8 { "4 or 8" } else { "4, 8 or 16" };
        Err(StatementError::Length { what: self.algorithm.name(), expected, got: length })
    }

    /// The same in another rendering.
    pub fn with_rendering(self, rendering: Rendering) -> Self {
        Self { rendering, ..self }
    }
}

impl TryFrom<Spec> for MacStatement {
    type Error = StatementError;

    fn try_from(spec: Spec) -> Result<Self, StatementError> {
        let mut statement = spec.algorithm.statement();
        if let Some(number) = spec.padding {
            let padding = match number {
                1 => Padding::Zeros,
                2 => Padding::OneThenZeros,
                other => return Err(StatementError::Padding(other)),
            };
            statement = statement.with_padding(padding)?;
        }
        if let Some(length) = spec.length {
            statement = statement.with_length(length)?;
        }
        Ok(statement.with_rendering(spec.rendering.unwrap_or(statement.rendering)))
    }
}
