//! A small body that hangs together: a few hidden states, and all vitals derived from them.
//!
//! ```text
//!  infection ─▶ vessels wide ─▶ pressure falls ─▶ reflex ─▶ heart fast
//!  bleeding ──▶ volume ──▶ stroke ──┘      opioid ─▶ drive ─▶ breaths ─▶ CO₂, O₂
//!  obstruction, shunt ─▶ O₂ ─▶ breaths      insulin ─▶ glucose ─▶ awake or not
//! ```
//!
//! Each step moves the states by their time constants. The numbers are chosen so that a
//! course looks right at the bedside; they are not measured from anybody.

use model::Consciousness;

use crate::illness::Drives;

/// What is true of a patient's body at an instant, as a perfect device would measure it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Body {
    /// Electrical beats per minute; 0 is asystole.
    pub heart_rate_per_min: f64,
    /// Which rhythm makes them.
    pub rhythm: Rhythm,
    /// Arterial oxygen saturation, in percent.
    pub saturation_percent: f64,
    /// Breaths per minute.
    pub breaths_per_min: f64,
    /// Depth of a breath against that at rest: 1 is as at rest.
    pub tidal_fraction: f64,
    /// Carbon dioxide at the end of a breath, in mmHg.
    pub end_tidal_co2_mmhg: f64,
    /// Systolic pressure, in mmHg.
    pub systolic_mmhg: f64,
    /// Diastolic pressure, in mmHg.
    pub diastolic_mmhg: f64,
    /// Core temperature, in degrees Celsius.
    pub temperature_cel: f64,
    /// Glucose, in mg/dL.
    pub glucose_mg_per_dl: f64,
    /// Body weight, in kg.
    pub weight_kg: f64,
    /// What a hard blow gives in its first second (FEV1), in litres.
    pub fev1_litres: f64,
    /// What it gives in all (FVC), in litres.
    pub fvc_litres: f64,
    /// How fast it is at its fastest, in litres a minute.
    pub peak_flow_litres_per_min: f64,
    /// Strength of the pulse in a finger: 1 is as at rest, 0 is none.
    pub pulse_fraction: f64,
    /// How awake.
    pub consciousness: Consciousness,
}

impl Body {
    /// Mean pressure, in mmHg, by the usual third.
    pub fn mean_mmhg(&self) -> f64 {
        self.diastolic_mmhg + (self.systolic_mmhg - self.diastolic_mmhg) / 3.0
    }

    /// How irregular the beats are, as a fraction of their interval.
    pub const fn irregular_fraction(&self) -> f64 {
        match self.rhythm {
            Rhythm::Sinus | Rhythm::Tachycardia | Rhythm::Block => 0.02,
            Rhythm::AtrialFibrillation => 0.2,
            Rhythm::VentricularFibrillation | Rhythm::Asystole => 0.0,
        }
    }
}

/// Who drives the heart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rhythm {
    /// The sinus node.
    #[default]
    Sinus,
    /// The atria quiver; beats come fast and at random.
    AtrialFibrillation,
    /// The atria are not heard; the ventricles beat slowly on their own.
    Block,
    /// A ventricle beats by itself, too fast to fill.
    Tachycardia,
    /// The ventricles quiver: no beat, no output.
    VentricularFibrillation,
    /// Nothing beats.
    Asystole,
}

/// What a body is like when nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AtRest {
    /// Heart rate, in beats per minute.
    pub heart_rate_per_min: f64,
    /// Breaths per minute.
    pub breaths_per_min: f64,
    /// Saturation on air, in percent.
    pub saturation_percent: f64,
    /// Systolic pressure, in mmHg.
    pub systolic_mmhg: f64,
    /// Diastolic pressure, in mmHg.
    pub diastolic_mmhg: f64,
    /// Temperature, in degrees Celsius.
    pub temperature_cel: f64,
    /// Glucose, in mg/dL.
    pub glucose_mg_per_dl: f64,
    /// Weight, in kg.
    pub weight_kg: f64,
    /// First second of a hard blow (FEV1), in litres.
    pub fev1_litres: f64,
    /// All of a hard blow (FVC), in litres.
    pub fvc_litres: f64,
}

impl AtRest {
    /// An adult.
    pub const ADULT: Self = Self {
        heart_rate_per_min: 72.0,
        breaths_per_min: 15.0,
        saturation_percent: 97.0,
        systolic_mmhg: 124.0,
        diastolic_mmhg: 76.0,
        temperature_cel: 36.8,
        glucose_mg_per_dl: 104.0,
        weight_kg: 74.0,
        fev1_litres: 3.2,
        fvc_litres: 4.0,
    };

    fn mean_mmhg(&self) -> f64 {
        self.diastolic_mmhg + (self.systolic_mmhg - self.diastolic_mmhg) / 3.0
    }

    /// The share of blood that passes the lung without meeting air, as a fraction.
    fn shunt_fraction(&self) -> f64 {
        ((FULL_PERCENT - self.saturation_percent) / (FULL_PERCENT - VENOUS_PERCENT)).clamp(0.0, 0.6)
    }
}

/// Saturation of blood that met air, and of blood that comes back, in percent.
const FULL_PERCENT: f64 = 97.6;
const VENOUS_PERCENT: f64 = 68.0;
/// Carbon dioxide in arterial blood at rest, in mmHg.
const CO2_MMHG: f64 = 40.0;
/// The fastest flow of a blow, in litres a minute for each litre of its first second.
const PEAK_FLOW_PER_FEV1: f64 = 130.0;
/// Oxygen in room air.
const AIR_FRACTION: f64 = 0.21;

/// A living body: its hidden states, and what follows from them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Physiology {
    at_rest: AtRest,
    /// How hard the baroreflex pulls: 0 at rest, 1 as hard as it can.
    reflex: f64,
    co2_mmhg: f64,
    saturation: f64,
    temperature: f64,
    glucose: f64,
    pressure_mmhg: f64,
    /// Blood flow against that at rest.
    output: f64,
    breathing: f64,
    /// Part of a lost volume that was given back.
    pub(crate) infused: f64,
    /// Glucose on its way into the blood, in mg/dL.
    pub(crate) sugar_mg_per_dl: f64,
    /// Share of oxygen in what is breathed.
    pub(crate) oxygen: f64,
    body: Body,
}

/// Moves `value` to `target` with this time constant.
fn follow(value: &mut f64, target: f64, step_s: f64, tau_s: f64) {
    *value += (target - *value) * (1.0 - (-step_s / tau_s).exp());
}

impl Physiology {
    pub(crate) fn new(at_rest: AtRest) -> Self {
        let mut new = Self {
            at_rest,
            reflex: 0.0,
            co2_mmhg: CO2_MMHG,
            saturation: at_rest.saturation_percent,
            temperature: at_rest.temperature_cel,
            glucose: at_rest.glucose_mg_per_dl,
            pressure_mmhg: at_rest.mean_mmhg(),
            output: 1.0,
            breathing: 1.0,
            infused: 0.0,
            sugar_mg_per_dl: 0.0,
            oxygen: AIR_FRACTION,
            body: Body {
                heart_rate_per_min: at_rest.heart_rate_per_min,
                rhythm: Rhythm::Sinus,
                saturation_percent: at_rest.saturation_percent,
                breaths_per_min: at_rest.breaths_per_min,
                tidal_fraction: 1.0,
                end_tidal_co2_mmhg: CO2_MMHG - 3.0,
                systolic_mmhg: at_rest.systolic_mmhg,
                diastolic_mmhg: at_rest.diastolic_mmhg,
                temperature_cel: at_rest.temperature_cel,
                glucose_mg_per_dl: at_rest.glucose_mg_per_dl,
                weight_kg: at_rest.weight_kg,
                fev1_litres: at_rest.fev1_litres,
                fvc_litres: at_rest.fvc_litres,
                peak_flow_litres_per_min: PEAK_FLOW_PER_FEV1 * at_rest.fev1_litres,
                pulse_fraction: 1.0,
                consciousness: Consciousness::Alert,
            },
        };
        new.settle();
        new
    }

    /// Lets the loops come to rest, so that a script does not begin with a wobble.
    fn settle(&mut self) {
        for _ in 0..600 {
            self.live(1.0, &Drives::default());
        }
    }

    pub(crate) const fn body(&self) -> Body {
        self.body
    }

    /// Lives for `step_s` seconds under what the illnesses do.
    pub(crate) fn live(&mut self, step_s: f64, drives: &Drives) {
        self.breathe(step_s, drives);
        self.blow(drives);
        self.circulate(step_s, drives);
        self.burn(step_s, drives);
        self.body.consciousness = self.awake(drives);
    }

    fn breathe(&mut self, step_s: f64, drives: &Drives) {
        let rest = &self.at_rest;
        let hypoxia = ((rest.saturation_percent - 5.0 - self.saturation) / 12.0).clamp(0.0, 0.7);
        let carbon = ((self.co2_mmhg - CO2_MMHG) / 25.0).clamp(-0.35, 0.9);
        let shock = (1.0 - self.pressure_mmhg / rest.mean_mmhg()).clamp(0.0, 0.6);
        let heat = (self.temperature - rest.temperature_cel).max(0.0) * 0.09;
        // An opioid also deafens the brain to both gases.
        let heard = 1.0 - 0.6 * drives.opioid.min(1.0);
        let gases = (hypoxia + carbon) * heard;
        let need = 1.0 + gases + shock + heat + 0.45 * drives.infection + 0.25 * drives.pain;
        let drive = (1.0 - drives.opioid).max(0.0);
        // A brain without blood gasps and stops.
        let fed = if self.output < 0.2 { 0.0 } else { 1.0 };
        follow(&mut self.breathing, need * drive * fed, step_s, if fed > 0.0 { 8.0 } else { 25.0 });
        let breaths = (rest.breaths_per_min * self.breathing).clamp(0.0, 48.0);
        self.body.breaths_per_min = if breaths < 1.0 { 0.0 } else { breaths };
        self.body.tidal_fraction = (1.0 - 0.45 * drives.obstruction) * (1.0 - 0.3 * drives.opioid);
        let ventilation =
            (self.body.breaths_per_min / rest.breaths_per_min) * self.body.tidal_fraction;
        let co2 = (CO2_MMHG / ventilation.max(0.25)).clamp(16.0, 82.0);
        follow(&mut self.co2_mmhg, co2, step_s, 80.0);
        let air_mmhg = (self.oxygen * 713.0 - self.co2_mmhg / 0.8).max(15.0);
        let met = severinghaus_percent(air_mmhg - 8.0 * drives.obstruction);
        // Oxygen reaches part of what air does not.
        let helped = 1.0 - 0.6 * ((self.oxygen - AIR_FRACTION) / 0.4).clamp(0.0, 1.0);
        let shunt = ((rest.shunt_fraction() + drives.shunt) * helped).clamp(0.0, 0.85);
        let target = if self.body.breaths_per_min > 0.0 {
            (met * (1.0 - shunt) + VENOUS_PERCENT.min(met) * shunt).max(30.0)
        } else {
            35.0
        };
        let tau_s = if self.body.breaths_per_min > 0.0 { 14.0 } else { 90.0 };
        follow(&mut self.saturation, target, step_s, tau_s);
        self.body.saturation_percent = self.saturation.clamp(0.0, 100.0);
        let arrives = self.output.clamp(0.0, 1.0).sqrt();
        let is_breathing = self.body.breaths_per_min > 0.0;
        let end_tidal = (self.co2_mmhg - 3.0 - 6.0 * drives.obstruction) * arrives;
        self.body.end_tidal_co2_mmhg = if is_breathing { end_tidal.max(0.0) } else { 0.0 };
    }

    /// What a spirometer would find: narrow airways let less out in the first second, and
    /// trap some; water and consolidated lung take room.
    fn blow(&mut self, drives: &Drives) {
        let rest = &self.at_rest;
        let narrow = drives.obstruction.clamp(0.0, 1.0);
        let room = (1.0 - 0.6 * drives.shunt - 1.2 * drives.fluid_kept).clamp(0.3, 1.0);
        self.body.fvc_litres = rest.fvc_litres * (1.0 - 0.25 * narrow) * room;
        self.body.fev1_litres = rest.fev1_litres * (1.0 - 0.55 * narrow) * room;
        self.body.peak_flow_litres_per_min =
            PEAK_FLOW_PER_FEV1 * rest.fev1_litres * (1.0 - 0.6 * narrow) * room.sqrt();
    }

    fn circulate(&mut self, step_s: f64, drives: &Drives) {
        let rest = &self.at_rest;
        let resting_mmhg = rest.mean_mmhg();
        let target = ((resting_mmhg - self.pressure_mmhg) / 28.0).clamp(-0.3, 1.0);
        follow(&mut self.reflex, target, step_s, 15.0);
        let volume = (1.0 - drives.blood_lost + self.infused + drives.fluid_kept).clamp(0.3, 1.2);
        // Inflamed vessels leak.
        let filled = (1.0 - 2.3 * (1.0 - (volume - 0.06 * drives.infection))).clamp(0.05, 1.12);
        let sinus = self.sinus_per_min(drives);
        let (rate, pumps) = match drives.rhythm {
            Rhythm::Sinus => (sinus, 1.0),
            Rhythm::AtrialFibrillation => {
                (134.0 + 0.3 * (sinus - rest.heart_rate_per_min) - 50.0 * drives.slowed, 0.84)
            }
            Rhythm::Block => (34.0, 1.25),
            Rhythm::Tachycardia => (182.0, 0.5),
            Rhythm::VentricularFibrillation | Rhythm::Asystole => (0.0, 0.0),
        };
        let hurried = (1.0 - ((rate - 140.0) / 160.0).clamp(0.0, 0.6)).max(0.2);
        let stroke = filled * pumps * hurried;
        let pressed = if drives.is_compressed && rate < 1.0 { 0.3 } else { 0.0 };
        let output = (stroke * rate / rest.heart_rate_per_min).max(pressed);
        follow(&mut self.output, output, step_s, 4.0);
        let vessels = (1.0 + 0.28 * self.reflex.max(0.0) - 0.86 * drives.infection).max(0.25);
        let pressure = (resting_mmhg * self.output * vessels).clamp(8.0, 190.0);
        follow(&mut self.pressure_mmhg, pressure, step_s, 5.0);
        let apart = (rest.systolic_mmhg - rest.diastolic_mmhg) * stroke.max(pressed);
        let apart = apart.max(if rate > 0.0 { 12.0 } else { 2.0 });
        self.body.systolic_mmhg = self.pressure_mmhg + apart * 2.0 / 3.0;
        self.body.diastolic_mmhg = (self.pressure_mmhg - apart / 3.0).max(4.0);
        self.body.pulse_fraction =
            (stroke * (0.5 + 0.5 * self.pressure_mmhg / resting_mmhg)).clamp(0.0, 1.5);
        (self.body.heart_rate_per_min, self.body.rhythm) = (rate.max(0.0), drives.rhythm);
        self.body.weight_kg =
            rest.weight_kg + 20.0 * drives.fluid_kept - 5.0 * drives.blood_lost.min(0.3);
    }

    /// What the sinus node makes of it all.
    fn sinus_per_min(&self, drives: &Drives) -> f64 {
        let rest = &self.at_rest;
        let heat = (self.temperature - rest.temperature_cel).max(0.0) * 8.0;
        let hypoxia = ((rest.saturation_percent - 4.0 - self.saturation) * 1.6).clamp(0.0, 30.0);
        let sugar = ((62.0 - self.glucose) * 0.8).clamp(0.0, 24.0);
        let asked = rest.heart_rate_per_min
            + 48.0 * self.reflex
            + heat
            + hypoxia
            + sugar
            + 14.0 * drives.pain
            - 14.0 * drives.opioid;
        // A heart without oxygen tires.
        let tired = if self.saturation < 50.0 { (self.saturation / 50.0).max(0.5) } else { 1.0 };
        (asked * tired).clamp(30.0, 190.0)
    }

    fn burn(&mut self, step_s: f64, drives: &Drives) {
        let fever = 2.5 * drives.infection;
        follow(&mut self.temperature, self.at_rest.temperature_cel + fever, step_s, 420.0);
        self.body.temperature_cel = self.temperature;
        let minutes = step_s / 60.0;
        let given = self.sugar_mg_per_dl * (1.0 - (-minutes / 5.0).exp());
        self.sugar_mg_per_dl -= given;
        let back = 0.03 * (self.at_rest.glucose_mg_per_dl - self.glucose);
        let burnt = 0.03 * drives.insulin * self.glucose;
        self.glucose = (self.glucose + (back - burnt) * minutes + given).clamp(18.0, 600.0);
        self.body.glucose_mg_per_dl = self.glucose;
    }

    fn awake(&self, drives: &Drives) -> Consciousness {
        let fed = self.output > 0.25;
        if !fed || self.saturation < 55.0 || self.glucose < 30.0 || drives.opioid > 0.9 {
            Consciousness::Unresponsive
        } else if self.pressure_mmhg < 42.0 || self.co2_mmhg > 78.0 || self.glucose < 40.0 {
            Consciousness::Pain
        } else if drives.opioid > 0.45 || self.co2_mmhg > 70.0 || self.saturation < 70.0 {
            Consciousness::Voice
        } else if self.glucose < 54.0 || self.pressure_mmhg < 56.0 {
            Consciousness::NewConfusion
        } else {
            Consciousness::Alert
        }
    }
}

/// Saturation of blood that stands under so much oxygen (Severinghaus 1979), in percent.
fn severinghaus_percent(oxygen_mmhg: f64) -> f64 {
    let p = oxygen_mmhg.max(1.0);
    100.0 / (23_400.0 / (p.powi(3) + 150.0 * p) + 1.0)
}

#[cfg(test)]
mod tests;
