//! Courses of illness: where a body is on its way at each second of a script.

use crate::physiology::Body;

/// A body's way through time: from each point the state moves to the next one.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What the illness is, for the patient's page.
    pub here_for: &'static str,
    /// Seconds after the start, rising, with the state reached then.
    points: Vec<(f64, Body)>,
}

impl Course {
    /// A course through these points; before the first and after the last it rests there.
    pub const fn new(here_for: &'static str, points: Vec<(f64, Body)>) -> Self {
        Self { here_for, points }
    }

    /// The state at so many seconds after the start.
    pub fn at(&self, second: f64) -> Body {
        let next = self.points.iter().position(|(at, _)| *at > second);
        let get = |index: usize| self.points.get(index).copied();
        match next {
            Some(0) | None => {
                let rest = if next == Some(0) { self.points.first() } else { self.points.last() };
                rest.map_or(Body::HEALTHY, |(_, body)| *body)
            }
            Some(index) => match (get(index - 1), get(index)) {
                (Some((from, a)), Some((to, b))) => a.towards(&b, (second - from) / (to - from)),
                _ => Body::HEALTHY,
            },
        }
    }
}

/// The eight courses of the demo ward, bed by bed.
#[expect(clippy::too_many_lines, reason = "a table: one entry for each bed")]
pub fn demo_courses() -> Vec<Course> {
    let well = Body::HEALTHY;
    let septic = Body {
        heart_rate_per_min: 118.0,
        saturation_percent: 93.0,
        breaths_per_min: 26.0,
        systolic_mmhg: 92.0,
        diastolic_mmhg: 50.0,
        temperature_cel: 39.2,
        ..well
    };
    let copd =
        Body { saturation_percent: 90.0, breaths_per_min: 20.0, heart_rate_per_min: 84.0, ..well };
    let desaturated =
        Body { saturation_percent: 78.0, breaths_per_min: 28.0, heart_rate_per_min: 112.0, ..well };
    let pneumonia = Body {
        saturation_percent: 95.0,
        breaths_per_min: 22.0,
        heart_rate_per_min: 98.0,
        temperature_cel: 38.4,
        ..well
    };
    let fibrillating =
        Body { heart_rate_per_min: 138.0, irregular_fraction: 0.2, systolic_mmhg: 108.0, ..well };
    let stopped = Body { heart_rate_per_min: 0.0, ..well };
    let bleeding = Body {
        heart_rate_per_min: 126.0,
        systolic_mmhg: 84.0,
        diastolic_mmhg: 48.0,
        breaths_per_min: 24.0,
        ..well
    };
    let slow = Body { heart_rate_per_min: 58.0, ..well };
    let sleepy =
        Body { breaths_per_min: 7.0, saturation_percent: 91.0, heart_rate_per_min: 56.0, ..well };
    vec![
        Course::new(
            "Hip replacement, day 1",
            vec![(0.0, Body { heart_rate_per_min: 76.0, ..well })],
        ),
        Course::new(
            "Urinary infection, watched for sepsis",
            vec![
                (0.0, Body { temperature_cel: 37.9, heart_rate_per_min: 92.0, ..well }),
                (
                    90.0,
                    Body {
                        temperature_cel: 38.2,
                        heart_rate_per_min: 98.0,
                        breaths_per_min: 20.0,
                        ..well
                    },
                ),
                (1_500.0, septic),
                (7_200.0, septic),
            ],
        ),
        Course::new(
            "COPD exacerbation, target 88–92 %",
            vec![
                (0.0, copd),
                (1_800.0, copd),
                (2_100.0, Body { saturation_percent: 86.0, ..copd }),
                (2_700.0, copd),
            ],
        ),
        Course::new(
            "Pneumonia, right lower lobe",
            vec![
                (0.0, pneumonia),
                (8.0, pneumonia),
                (22.0, desaturated),
                (170.0, desaturated),
                (240.0, pneumonia),
                (1_200.0, pneumonia),
                (1_230.0, desaturated),
                (1_400.0, pneumonia),
            ],
        ),
        Course::new(
            "Atrial fibrillation, new",
            vec![
                (0.0, Body { heart_rate_per_min: 88.0, ..well }),
                (12.0, Body { heart_rate_per_min: 90.0, ..well }),
                (16.0, fibrillating),
                (900.0, fibrillating),
                (905.0, Body { heart_rate_per_min: 86.0, ..well }),
                (3_600.0, Body { heart_rate_per_min: 82.0, ..well }),
            ],
        ),
        Course::new(
            "Syncope, under observation",
            vec![
                (0.0, slow),
                (30.0, slow),
                (30.1, stopped),
                (37.0, stopped),
                (37.1, slow),
                (1_800.0, slow),
                (1_800.1, stopped),
                (1_806.0, stopped),
                (1_806.1, slow),
            ],
        ),
        Course::new(
            "After bowel surgery, day 0",
            vec![(0.0, well), (600.0, well), (2_400.0, bleeding), (9_000.0, bleeding)],
        ),
        Course::new(
            "Knee surgery, patient-controlled analgesia",
            vec![
                (0.0, Body { breaths_per_min: 12.0, ..well }),
                (1_000.0, Body { breaths_per_min: 11.0, ..well }),
                (1_300.0, sleepy),
                (1_700.0, sleepy),
                (1_900.0, well),
            ],
        ),
    ]
}

#[test]
fn a_course_moves_from_point_to_point_and_rests_at_its_ends() {
    let at = |rate| Body { heart_rate_per_min: rate, ..Body::HEALTHY };
    let course = Course::new("x", vec![(10.0, at(60.0)), (20.0, at(100.0))]);
    for (second, want) in [(0.0, 60.0), (10.0, 60.0), (15.0, 80.0), (20.0, 100.0), (99.0, 100.0)] {
        assert_eq!(course.at(second).heart_rate_per_min, want, "at {second} s");
    }
}
