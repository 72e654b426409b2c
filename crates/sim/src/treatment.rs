//! What people do about an illness, and what it does to a body.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that staff give or do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Treatment {
    Adrenaline,
    Analgesia,
    Antibiotics,
    Bronchodilator,
    Compressions,
    Diuretic,
    Fluids,
    Glucose,
    Naloxone,
    Oxygen,
    Pacing,
    RateControl,
    Shock,
    Surgery,
}

impl Treatment {
    /// Every treatment.
    pub const ALL: [Self; 14] = [
        Self::Adrenaline,
        Self::Analgesia,
        Self::Antibiotics,
        Self::Bronchodilator,
        Self::Compressions,
        Self::Diuretic,
        Self::Fluids,
        Self::Glucose,
        Self::Naloxone,
        Self::Oxygen,
        Self::Pacing,
        Self::RateControl,
        Self::Shock,
        Self::Surgery,
    ];

    /// Its word in scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Adrenaline => "adrenaline",
            Self::Analgesia => "analgesia",
            Self::Antibiotics => "antibiotics",
            Self::Bronchodilator => "bronchodilator",
            Self::Compressions => "compressions",
            Self::Diuretic => "diuretic",
            Self::Fluids => "fluids",
            Self::Glucose => "glucose",
            Self::Naloxone => "naloxone",
            Self::Oxygen => "oxygen",
            Self::Pacing => "pacing",
            Self::RateControl => "rate-control",
            Self::Shock => "shock",
            Self::Surgery => "surgery",
        }
    }
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
