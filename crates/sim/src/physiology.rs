//! What is true of a patient's body at an instant; all vitals derive from it.

/// The state that courses of illness move and devices measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Body {
    /// Beats per minute that the sinus node or the arrhythmia asks for; 0 is asystole.
    pub heart_rate_per_min: f64,
    /// Arterial oxygen saturation, in percent.
    pub saturation_percent: f64,
    /// Breaths per minute.
    pub breaths_per_min: f64,
    /// Systolic pressure, in mmHg.
    pub systolic_mmhg: f64,
    /// Diastolic pressure, in mmHg.
    pub diastolic_mmhg: f64,
    /// Core temperature, in degrees Celsius.
    pub temperature_cel: f64,
    /// How irregular the beats are: 0 is sinus rhythm, 0.25 is fibrillation.
    pub irregular_fraction: f64,
}

impl Body {
    /// An adult at rest.
    pub const HEALTHY: Self = Self {
        heart_rate_per_min: 72.0,
        saturation_percent: 97.0,
        breaths_per_min: 15.0,
        systolic_mmhg: 124.0,
        diastolic_mmhg: 76.0,
        temperature_cel: 36.8,
        irregular_fraction: 0.02,
    };

    /// Mean pressure, in mmHg, by the usual third.
    pub fn mean_mmhg(&self) -> f64 {
        self.diastolic_mmhg + (self.systolic_mmhg - self.diastolic_mmhg) / 3.0
    }

    /// This state on its way to `other`: 0 is this one, 1 the other.
    pub fn towards(&self, other: &Self, fraction: f64) -> Self {
        let mix = |a: f64, b: f64| a + (b - a) * fraction.clamp(0.0, 1.0);
        Self {
            heart_rate_per_min: mix(self.heart_rate_per_min, other.heart_rate_per_min),
            saturation_percent: mix(self.saturation_percent, other.saturation_percent),
            breaths_per_min: mix(self.breaths_per_min, other.breaths_per_min),
            systolic_mmhg: mix(self.systolic_mmhg, other.systolic_mmhg),
            diastolic_mmhg: mix(self.diastolic_mmhg, other.diastolic_mmhg),
            temperature_cel: mix(self.temperature_cel, other.temperature_cel),
            irregular_fraction: mix(self.irregular_fraction, other.irregular_fraction),
        }
    }
}
