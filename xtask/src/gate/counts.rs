//! Reads from what the test runners print how many tests there were.

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    pub const ONE: Self = Self { passed: 1, failed: 0, skipped: 0 };

    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// The runner counted these tests as passed; they said that they could not run.
    pub fn with_skipped_inside(self, tests: usize) -> Self {
        let tests = tests.min(self.passed);
        Self { passed: self.passed - tests, skipped: self.skipped + tests, ..self }
    }
}

/// The sum of the `test result:` lines of Rust's test harness.
pub fn of_libtest(printed: &str) -> Counts {
    let mut sum = Counts::default();
    for line in printed.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let pieces = line.split([';', '.']).filter_map(|piece| piece.trim().split_once(' '));
        for (number, what) in pieces {
            let number = number.parse().unwrap_or(0);
            match what {
                "passed" => sum.passed += number,
                "failed" => sum.failed += number,
                "ignored" => sum.skipped += number,
                _ => {}
            }
        }
    }
    sum
}

/// The last lines of Node's runner in TAP form: `# pass 3`.
pub fn of_node(printed: &str) -> Counts {
    let mut sum = Counts::default();
    for line in printed.lines().filter_map(|line| line.strip_prefix("# ")) {
        let Some((what, Ok(number))) =
            line.split_once(' ').map(|(what, n)| (what, n.parse::<usize>()))
        else {
            continue;
        };
        match what {
            "pass" => sum.passed += number,
            "fail" | "cancelled" => sum.failed += number,
            "skipped" | "todo" => sum.skipped += number,
            _ => {}
        }
    }
    sum
}

/// What tests said that they could not do: lines of the form `NOT RUN: what (why)`.
pub fn not_run_inside(printed: &str) -> Vec<String> {
    let said =
        printed.lines().filter_map(|line| line.trim_start_matches("# ").strip_prefix("NOT RUN: "));
    let mut said: Vec<String> = said.map(str::to_owned).collect();
    said.sort();
    said.dedup();
    said
}

#[test]
fn the_results_of_all_test_binaries_are_added() {
    let printed = "running 3 tests\n\
        test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n\
        test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.05s\n";
    assert_eq!(of_libtest(printed), Counts { passed: 4, failed: 2, skipped: 1 });
    assert_eq!(of_libtest("error: could not compile"), Counts::default());
}

#[test]
fn the_summary_of_node_is_read() {
    let printed = "TAP version 13\n# a remark\n# tests 9\n# pass 5\n# fail 2\n# cancelled 1\n# skipped 1\n# todo 0\n";
    assert_eq!(of_node(printed), Counts { passed: 5, failed: 3, skipped: 1 });
}

#[test]
fn a_test_that_says_that_it_did_not_run_is_no_passed_test() {
    let printed = "---- a stderr ----\nNOT RUN: mitdb (absent)\nnoise\nNOT RUN: mitdb (absent)\n";
    assert_eq!(not_run_inside(printed), ["mitdb (absent)"]);
    let counts = Counts { passed: 3, failed: 0, skipped: 1 };
    assert_eq!(counts.with_skipped_inside(1), Counts { passed: 2, failed: 0, skipped: 2 });
    assert_eq!(Counts::default().with_skipped_inside(1), Counts::default());
}
