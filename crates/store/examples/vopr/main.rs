//! The deterministic simulator of storage under faults: `cargo xtask vopr` builds and runs it.
//!
//! ```text
//! seed ─▶ run: operations and faults ─▶ journal on the simulated disk ─▶ compared with
//!                                    └▶ series, records as files       ─▶ the model
//! ```
//!
//! The same seed makes the same run, down to every write; each 64th seed is run twice to
//! show it. A seed that fails is printed with the one command that repeats it.
//!
//! **Absent on purpose:** sockets, deciders, and any time but that of the seed; the clock
//! of the machine only measures how fast the simulator is.

mod files;
mod model;
mod rolls;
mod run;

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use store::{Clock, Fault};

use crate::{
    files::Files,
    model::Broken,
    run::{Run, Told},
};

/// Each of so many seeds is run twice.
const TWICE_EVERY: u64 = 64;
/// Every fault has fired this often in so many seeds, or the simulator itself is at fault.
const FIRED_MIN: u64 = 100;
const FIRED_SEEDS: u64 = 10_000;
/// A damaged chunk that is made again, which must come a quarter as often as a fault: few of the
/// bits that are flipped hit one.
const MADE_AGAIN: &str = "flipped chunks named and made again";
/// Faults beside those of the disk.
const OTHER_FAULTS: [&str; 10] = [
    "clock jump",
    "clock set back",
    "databases killed",
    "sealing cut short",
    "commit of a database lost",
    "commit of a database torn",
    "commit of a database reordered",
    "pages of a database lost",
    "pages of a database reordered",
    "bit flip in a database",
];

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    seeds: u64,
    first: u64,
    minutes: Option<u64>,
    jobs: usize,
    /// Where a page about the run is written.
    report: Option<PathBuf>,
}

fn parse(args: &[&str]) -> Result<Wish, String> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut wish = Wish { seeds: 100, first: 0, minutes: None, jobs, report: None };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if *arg == "--report" {
            let path = rest.next().ok_or_else(|| format!("{arg} wants a file"))?;
            wish.report = Some(PathBuf::from(path));
            continue;
        }
        let mut number = || {
            let told = rest.next().and_then(|it| it.parse::<u64>().ok());
            told.ok_or_else(|| format!("{arg} wants a whole number"))
        };
        match *arg {
            "--seeds" => wish.seeds = number()?.max(1),
            "--seed" => wish.first = number()?,
            "--minutes" => wish.minutes = Some(number()?),
            "--jobs" => wish.jobs = usize::try_from(number()?).unwrap_or(1).max(1),
            other => return Err(format!("there is no option `{other}`")),
        }
    }
    Ok(wish)
}

/// What all seeds together came to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    twice: u64,
    operations: u64,
    fired: BTreeMap<&'static str, u64>,
    checked: BTreeMap<&'static str, u64>,
    failed: Option<(u64, String)>,
}

impl Sum {
    fn add(&mut self, told: &Told) {
        self.seeds = self.seeds.saturating_add(1);
        self.operations = self.operations.saturating_add(told.operations);
        for (sum, more) in [(&mut self.fired, &told.fired), (&mut self.checked, &told.checked)] {
            for (name, count) in more {
                let sum = sum.entry(name).or_insert(0);
                *sum = sum.saturating_add(*count);
            }
        }
    }
}

/// Runs one seed, twice if it is its turn; an error names what does not hold.
fn seed(seed: u64, place: &Path, template: &Path) -> (Told, bool, Result<(), Broken>) {
    let once = || {
        let root = tempfile::tempdir_in(place);
        let root = root.map_err(|error| Broken(format!("no folder for the files: {error}")));
        let root = match root {
            Ok(root) => root,
            Err(error) => return (Told::default(), Err(error)),
        };
        let mut run = match Run::new(seed, root.path(), template) {
            Ok(run) => run,
            Err(error) => return (Told::default(), Err(error)),
        };
        let lived = panic::catch_unwind(AssertUnwindSafe(|| run.run()));
        let lived = lived.unwrap_or_else(|cause| {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(|it| (*it).to_owned()));
            Err(Broken(format!("a panic: {}", text.unwrap_or_default())))
        });
        (run.told.clone(), lived)
    };
    let (told, lived) = once();
    let twice = seed.is_multiple_of(TWICE_EVERY) && lived.is_ok();
    if twice {
        let (again, _) = once();
        if again.trace != told.trace || again.operations != told.operations {
            let error = Broken("the same seed made another run the second time".to_owned());
            return (told, twice, Err(error));
        }
    }
    (told, twice, lived)
}

/// Runs seeds on all cores until they are done, the time is over, or one fails.
fn simulate(wish: &Wish, place: &Path, template: &Path, clock: &Clock) -> Sum {
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Sum::default()));
    let until = wish.minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
    let shown = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..wish.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = until.is_some_and(|until| clock.elapsed() >= until);
                    let enough = number >= wish.seeds || is_over;
                    if enough || sum.lock().unwrap_or_else(PoisonError::into_inner).failed.is_some()
                    {
                        return;
                    }
                    let number = wish.first.saturating_add(number);
                    let (told, twice, lived) = seed(number, place, template);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(&told);
                    sum.twice = sum.twice.saturating_add(u64::from(twice));
                    if let Err(Broken(what)) = lived {
                        let at = told.operations;
                        let failure = (number, format!("operation {at}: {what}"));
                        sum.failed = sum.failed.take().or(Some(failure));
                    }
                    progress(&sum, wish, clock.elapsed(), &shown);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A line on stderr: each second on a terminal, each half minute elsewhere.
fn progress(sum: &Sum, wish: &Wish, elapsed: Duration, shown: &AtomicU64) {
    let every = if std::io::stderr().is_terminal() { 1 } else { 30 };
    let now = elapsed.as_secs() / every;
    if shown.swap(now, Ordering::Relaxed) != now {
        let end = if every == 1 { "\r" } else { "\n" };
        let (seeds, operations) = (sum.seeds, sum.operations);
        eprint!(
            "{seeds} of {} seeds, {operations} operations, {} s{end}",
            wish.seeds,
            elapsed.as_secs()
        );
    }
}

fn all_faults() -> impl Iterator<Item = &'static str> {
    Fault::ALL.map(Fault::name).into_iter().chain(OTHER_FAULTS)
}

fn report(sum: &Sum, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64().max(0.001);
    println!("{:<42} {:>12}", "fault", "fired");
    for name in all_faults() {
        println!("{name:<42} {:>12}", sum.fired.get(name).unwrap_or(&0));
    }
    println!("{:<42} {:>12}", "check", "done");
    for (name, count) in &sum.checked {
        println!("{name:<42} {count:>12}");
    }
    println!(
        "{} seeds ({} of them twice), {} operations, {:.1} seeds/s, {:.0} operations/s",
        sum.seeds,
        sum.twice,
        sum.operations,
        sum.seeds as f64 / seconds,
        sum.operations as f64 / seconds
    );
}

/// The same as a page to be kept.
fn page(sum: &Sum, wish: &Wish, elapsed: Duration) -> String {
    let (first, seeds, operations) = (wish.first, sum.seeds, sum.operations);
    let last = first.saturating_add(seeds.saturating_sub(1));
    let (min, seconds) = (fired_min(sum), elapsed.as_secs());
    let outcome = match &sum.failed {
        None => "No seed failed.".to_owned(),
        Some((seed, what)) => format!("**Seed {seed} failed:** {what}."),
    };
    let mut page = format!(
        "# A run of the simulator of storage

Written by `cargo xtask vopr --seeds {} --seed {first} --report FILE`; [what it does](../guide/testing.md#the-simulator-of-storage).

Seeds {first} to {last}, {seeds} of them, {} run twice and compared, {operations} operations in {seconds} s on {} threads.
{outcome}

| Fault | fired | must, for so many seeds |
| --- | ---: | ---: |
",
        wish.seeds, sum.twice, wish.jobs
    );
    for name in all_faults() {
        let fired = sum.fired.get(name).unwrap_or(&0);
        let verdict = if *fired < min { " **too seldom**" } else { "" };
        page.push_str(&format!("| {name} | {fired}{verdict} | {min} |\n"));
    }
    page.push_str("\n| Check | done |\n| --- | ---: |\n");
    for (name, count) in &sum.checked {
        page.push_str(&format!("| {name} | {count} |\n"));
    }
    page
}

/// How often each fault must have fired in so many seeds.
fn fired_min(sum: &Sum) -> u64 {
    sum.seeds.saturating_mul(FIRED_MIN) / FIRED_SEEDS
}

/// Faults that fired too seldom for so many seeds, and chunks that were made again too seldom.
fn seldom(sum: &Sum) -> Vec<&'static str> {
    let min = fired_min(sum);
    let mut seldom: Vec<_> =
        all_faults().filter(|name| sum.fired.get(name).unwrap_or(&0) < &min).collect();
    if *sum.checked.get(MADE_AGAIN).unwrap_or(&0) < min / 4 {
        seldom.push(MADE_AGAIN);
    }
    seldom
}

/// Memory where the machine has a folder of it: databases sync often.
fn workshop() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let wish = match parse(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(wish) => wish,
        Err(what) => {
            eprintln!("error: {what}\n\nhint: cargo xtask vopr --help");
            return ExitCode::from(2);
        }
    };
    let clock = Clock::system();
    let place = match tempfile::tempdir_in(workshop()) {
        Ok(place) => place,
        Err(error) => {
            eprintln!("error: no folder for the files: {error}");
            return ExitCode::from(2);
        }
    };
    let template = place.path().join("template");
    if let Err(Broken(what)) = Files::template(&template) {
        eprintln!("error: {what}");
        return ExitCode::from(2);
    }
    let sum = simulate(&wish, place.path(), &template, &clock);
    let elapsed = clock.elapsed();
    report(&sum, elapsed);
    if let Some(path) = &wish.report
        && let Err(error) = std::fs::write(path, page(&sum, &wish, elapsed))
    {
        eprintln!("error: {}: {error}", path.display());
        return ExitCode::from(2);
    }
    if let Some((seed, what)) = &sum.failed {
        eprintln!("error: seed {seed}, {what}");
        eprintln!("\nrepeat it: cargo xtask vopr --seeds 1 --seed {seed}");
        return ExitCode::from(1);
    }
    let seldom = seldom(&sum);
    if !seldom.is_empty() {
        eprintln!("error: these came too seldom: {}", seldom.join(", "));
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

#[test]
fn twelve_seeds_hold_and_the_same_seed_makes_the_same_run() {
    let place = tempfile::tempdir_in(workshop()).unwrap();
    let template = place.path().join("template");
    Files::template(&template).unwrap();
    for number in 0..12 {
        let (told, _, lived) = seed(number * TWICE_EVERY, place.path(), &template);
        assert!(lived.is_ok(), "seed {}: {lived:?}", number * TWICE_EVERY);
        assert!(told.operations >= 1_000, "{}", told.operations);
    }
}

#[test]
fn options_are_understood_or_refused_by_name() {
    let wish = |args: &[&str]| parse(args).map(|it| (it.seeds, it.first, it.minutes));
    assert_eq!(wish(&[]), Ok((100, 0, None)));
    assert_eq!(wish(&["--seeds", "7", "--seed", "9", "--minutes", "3"]), Ok((7, 9, Some(3))));
    assert_eq!(wish(&["--seeds"]), Err("--seeds wants a whole number".to_owned()));
    assert_eq!(wish(&["--sed", "1"]), Err("there is no option `--sed`".to_owned()));
    assert_eq!(wish(&["--report"]), Err("--report wants a file".to_owned()));
    let report = parse(&["--report", "a.md", "--seeds", "7"]).map(|it| (it.report, it.seeds));
    assert_eq!(report, Ok((Some(PathBuf::from("a.md")), 7)));
}

#[test]
fn the_page_of_a_run_names_each_fault_and_those_that_fired_too_seldom() {
    let mut sum = Sum { seeds: 10_000, operations: 7, ..Sum::default() };
    sum.fired = all_faults().map(|name| (name, 100)).collect();
    sum.fired.insert("power cut", 99);
    let wish = parse(&["--seeds", "10000"]).unwrap();
    let text = page(&sum, &wish, Duration::from_secs(5));
    assert!(text.contains("| power cut | 99 **too seldom** | 100 |\n"), "{text}");
    assert_eq!(seldom(&sum), ["power cut", MADE_AGAIN]);
    sum.checked.insert(MADE_AGAIN, 25);
    assert_eq!(seldom(&sum), ["power cut"]);
    for name in all_faults().filter(|name| *name != "power cut") {
        assert!(text.contains(&format!("| {name} | 100 | 100 |\n")), "{name}");
    }
    assert!(text.contains("No seed failed."), "{text}");
    sum.failed = Some((4711, "operation 3: lost".to_owned()));
    assert!(page(&sum, &wish, Duration::ZERO).contains("**Seed 4711 failed:** operation 3"));
}
