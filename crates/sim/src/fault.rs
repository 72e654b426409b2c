//! The faults of life, on a script.

/// What goes wrong with a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The electrodes fell off: waves say so, numerics are absent with the reason.
    LeadsOff,
    /// The cable was pulled: the connection breaks without a goodbye.
    NetworkCut,
    /// The clock shows this many seconds too much.
    ClockWrong {
        /// Device minus true time, in seconds.
        ahead_s: f64,
    },
    /// Every message is sent twice.
    Repeats,
    /// Bytes that nobody can read, once a second beside the good messages.
    Garbage,
    /// The battery shows this charge.
    Battery {
        /// Charge, in percent.
        percent: f64,
    },
}

/// A fault of one device for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// The device's place in the ward's list.
    pub device_index: usize,
    /// What goes wrong.
    pub fault: Fault,
    /// First second after the start.
    pub from_s: f64,
    /// First second after the fault.
    pub until_s: f64,
}

/// All that is planned for a ward.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script(pub Vec<Planned>);

impl Script {
    /// The faults of this device at this second.
    pub fn of(&self, device_index: usize, second: f64) -> impl Iterator<Item = Fault> + '_ {
        let now = move |planned: &&Planned| {
            planned.device_index == device_index
                && planned.from_s <= second
                && second < planned.until_s
        };
        self.0.iter().filter(now).map(|planned| planned.fault)
    }
}

/// What goes wrong in the demo ward, for the devices of [`crate::demo_devices`]; it comes again each half hour.
pub fn demo_script() -> Script {
    const THREE_YEARS_S: f64 = 3.0 * 365.25 * 86_400.0;
    let plan =
        |device_index, fault, from_s, until_s| Planned { device_index, fault, from_s, until_s };
    let rounds = (0..48).map(|round| f64::from(round) * 1_800.0);
    let each_round = rounds.flat_map(|begin| {
        [
            plan(7, Fault::Repeats, begin + 8.0, begin + 14.0),
            plan(10, Fault::Garbage, begin + 10.0, begin + 14.0),
            plan(2, Fault::LeadsOff, begin + 18.0, begin + 32.0),
            plan(6, Fault::NetworkCut, begin + 24.0, begin + 36.0),
            plan(1, Fault::ClockWrong { ahead_s: 600.0 }, begin + 30.0, begin + 44.0),
            plan(0, Fault::NetworkCut, begin + 300.0, begin + 330.0),
        ]
    });
    let always = [
        plan(9, Fault::ClockWrong { ahead_s: THREE_YEARS_S }, 0.0, f64::INFINITY),
        plan(11, Fault::Battery { percent: 8.0 }, 0.0, f64::INFINITY),
    ];
    Script(each_round.chain(always).collect())
}

#[test]
fn a_fault_holds_from_its_first_second_to_the_one_before_its_end() {
    let fault = Fault::Garbage;
    let script = Script(vec![Planned { device_index: 2, fault, from_s: 5.0, until_s: 7.0 }]);
    for (device, second, want) in [(2, 4.9, 0), (2, 5.0, 1), (2, 6.9, 1), (2, 7.0, 0), (1, 6.0, 0)]
    {
        assert_eq!(script.of(device, second).count(), want, "device {device} at {second} s");
    }
}
