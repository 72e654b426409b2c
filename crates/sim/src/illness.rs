//! Illnesses with an onset: each drives the states of a body for a while, and gives way
//! to the treatments that work against it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{physiology::Rhythm, treatment::Treatment};

/// Something that befalls a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Illness {
    /// The ventricles quiver.
    Arrest,
    Asystole,
    AtrialFibrillation,
    Bleeding,
    CopdExacerbation,
    HeartBlock,
    HeartFailure,
    Hypoglycaemia,
    OpioidOverdose,
    Pain,
    Pneumonia,
    Sepsis,
    VentricularTachycardia,
}

/// What all illnesses of a body together do to it; each is 0 where nothing is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Drives {
    pub(crate) infection: f64,
    pub(crate) shunt: f64,
    pub(crate) obstruction: f64,
    pub(crate) opioid: f64,
    pub(crate) insulin: f64,
    pub(crate) pain: f64,
    /// Part of the blood volume that is gone.
    pub(crate) blood_lost: f64,
    /// Water that is too much, as a part of the blood volume.
    pub(crate) fluid_kept: f64,
    pub(crate) rhythm: Rhythm,
    /// How far a drug slows the way to the ventricles.
    pub(crate) slowed: f64,
    /// Somebody compresses the chest.
    pub(crate) is_compressed: bool,
}

impl Illness {
    /// Every illness.
    pub const ALL: [Self; 13] = [
        Self::Arrest,
        Self::Asystole,
        Self::AtrialFibrillation,
        Self::Bleeding,
        Self::CopdExacerbation,
        Self::HeartBlock,
        Self::HeartFailure,
        Self::Hypoglycaemia,
        Self::OpioidOverdose,
        Self::Pain,
        Self::Pneumonia,
        Self::Sepsis,
        Self::VentricularTachycardia,
    ];

    /// Its word in scripts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arrest => "arrest",
            Self::Asystole => "asystole",
            Self::AtrialFibrillation => "atrial-fibrillation",
            Self::Bleeding => "bleeding",
            Self::CopdExacerbation => "copd-exacerbation",
            Self::HeartBlock => "heart-block",
            Self::HeartFailure => "heart-failure",
            Self::Hypoglycaemia => "hypoglycaemia",
            Self::OpioidOverdose => "opioid-overdose",
            Self::Pain => "pain",
            Self::Pneumonia => "pneumonia",
            Self::Sepsis => "sepsis",
            Self::VentricularTachycardia => "ventricular-tachycardia",
        }
    }

    /// Seconds from its onset to its height, unless a script says otherwise.
    pub const fn rises_in_s(self) -> f64 {
        match self {
            Self::Arrest
            | Self::Asystole
            | Self::AtrialFibrillation
            | Self::HeartBlock
            | Self::VentricularTachycardia => 0.0,
            Self::Pain => 60.0,
            Self::Pneumonia | Self::CopdExacerbation | Self::OpioidOverdose => 900.0,
            Self::Hypoglycaemia => 1_200.0,
            Self::Bleeding => 1_800.0,
            Self::Sepsis => 5_400.0,
            Self::HeartFailure => 7_200.0,
        }
    }

    /// Whether it strikes all at once.
    const fn is_sudden(self) -> bool {
        self.rises_in_s() == 0.0
    }

    /// How well a treatment works: the seconds in which it takes two thirds away.
    pub(crate) const fn gives_way_to(self, treatment: Treatment) -> Option<f64> {
        use Treatment as T;
        match (self, treatment) {
            (Self::Arrest | Self::VentricularTachycardia, T::Shock) => Some(1.0),
            (Self::Asystole, T::Adrenaline) => Some(40.0),
            (Self::HeartBlock, T::Pacing) => Some(2.0),
            (Self::AtrialFibrillation, T::Shock) => Some(1.0),
            (Self::Bleeding, T::Surgery) => Some(1_200.0),
            (Self::CopdExacerbation, T::Bronchodilator) => Some(600.0),
            (Self::HeartFailure, T::Diuretic) => Some(3_600.0),
            (Self::Hypoglycaemia, T::Glucose) => Some(900.0),
            (Self::OpioidOverdose, T::Naloxone) => Some(60.0),
            (Self::Pain, T::Analgesia) => Some(400.0),
            (Self::Pneumonia | Self::Sepsis, T::Antibiotics) => Some(7_200.0),
            _ => None,
        }
    }

    fn drive(self, level: f64, drives: &mut Drives) {
        let most = |value: &mut f64, other: f64| *value = value.max(other);
        match self {
            Self::Sepsis => {
                most(&mut drives.infection, level);
                drives.shunt += 0.10 * level;
            }
            Self::Pneumonia => {
                most(&mut drives.infection, 0.4 * level.min(1.0));
                drives.shunt += 0.5 * level;
            }
            Self::Bleeding => drives.blood_lost += 0.30 * level,
            Self::CopdExacerbation => {
                most(&mut drives.obstruction, 0.7 * level);
                drives.shunt += 0.16 * level;
            }
            Self::OpioidOverdose => most(&mut drives.opioid, 0.78 * level),
            Self::Hypoglycaemia => drives.insulin += 1.7 * level,
            Self::Pain => most(&mut drives.pain, level),
            Self::HeartFailure => {
                drives.shunt += 0.22 * level;
                drives.fluid_kept += 0.12 * level;
            }
            Self::AtrialFibrillation => take_over(drives, Rhythm::AtrialFibrillation, level),
            Self::HeartBlock => take_over(drives, Rhythm::Block, level),
            Self::VentricularTachycardia => take_over(drives, Rhythm::Tachycardia, level),
            Self::Arrest => take_over(drives, Rhythm::VentricularFibrillation, level),
            Self::Asystole => take_over(drives, Rhythm::Asystole, level),
        }
    }
}

/// The gravest rhythm wins; one that is half treated is over.
fn take_over(drives: &mut Drives, rhythm: Rhythm, level: f64) {
    if level > 0.5 {
        drives.rhythm = drives.rhythm.max(rhythm);
    }
}

impl fmt::Display for Illness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An illness of one body, from its onset on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) illness: Illness,
    /// Second of the script at which it began.
    pub(crate) from_s: f64,
    pub(crate) rises_in_s: f64,
    /// Second at which it begins to pass by itself.
    pub(crate) until_s: f64,
    pub(crate) severity: f64,
    /// Share that treatment has taken away.
    cured: f64,
    /// What works against it, with its time constant in seconds.
    treated_in_s: Option<f64>,
}

impl Case {
    pub(crate) fn new(illness: Illness, from_s: f64) -> Self {
        let (rises_in_s, until_s) = (illness.rises_in_s(), f64::INFINITY);
        Self { illness, from_s, rises_in_s, until_s, severity: 1.0, cured: 0.0, treated_in_s: None }
    }

    /// How far it is from nothing (0) to its height (1), times its severity.
    pub(crate) fn level(&self, second: f64) -> f64 {
        if second < self.from_s {
            return 0.0;
        }
        let risen = if self.rises_in_s > 0.0 {
            ((second - self.from_s) / self.rises_in_s).clamp(0.0, 1.0)
        } else {
            1.0
        };
        let falls_in_s = if self.illness.is_sudden() { 0.0 } else { self.rises_in_s.max(30.0) };
        let gone = match second - self.until_s {
            late if late < 0.0 => 0.0,
            late if falls_in_s > 0.0 => (late / falls_in_s).min(1.0),
            _ => 1.0,
        };
        self.severity * risen * (1.0 - gone) * (1.0 - self.cured)
    }

    /// Somebody does something; whether it works against this.
    pub(crate) fn treat(&mut self, treatment: Treatment) -> bool {
        let tau_s = self.illness.gives_way_to(treatment);
        if let Some(tau_s) = tau_s {
            self.treated_in_s = Some(self.treated_in_s.map_or(tau_s, |other| other.min(tau_s)));
        }
        tau_s.is_some()
    }

    pub(crate) fn live(&mut self, step_s: f64) {
        if let Some(tau_s) = self.treated_in_s {
            self.cured += (1.0 - self.cured) * (1.0 - (-step_s / tau_s).exp());
        }
    }

    pub(crate) fn is_over(&self, second: f64) -> bool {
        let passed = second > self.until_s + 2.0 * self.rises_in_s.max(60.0);
        second > self.from_s && (passed || self.cured > 0.99)
    }

    pub(crate) fn drive(&self, second: f64, drives: &mut Drives) {
        let level = self.level(second);
        if level > 0.0 {
            self.illness.drive(level, drives);
        }
    }
}
