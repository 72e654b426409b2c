//! The ledger as rows of letters, a second each.

use super::*;

fn at(second: usize) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000).after(Duration::from_secs(second as u64))
}

/// The stretches in which a row has one of these letters.
fn stretches(row: &str, letters: &str) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    for (second, letter) in row.chars().enumerate().filter(|(_, it)| letters.contains(*it)) {
        let _ = letter;
        match found.last_mut() {
            Some(last) if last.to == at(second) => last.to = at(second + 1),
            _ => found.push(Stretch { from: at(second), to: at(second + 1) }),
        }
    }
    found
}

/// What a row notes from each letter on that is not a dot.
fn noted<T>(row: &str, of: impl Fn(char) -> T) -> Vec<(Timestamp, T)> {
    let letters = row.chars().enumerate().filter(|(_, letter)| *letter != '.');
    letters.map(|(second, letter)| (at(second), of(letter))).collect()
}

fn link(letter: char) -> Link {
    match letter {
        'U' => Link::Up,
        'O' => Link::Off,
        'L' => Link::Lost,
        'R' => Link::Refused,
        _ => Link::Away,
    }
}

/// The seconds of a range: `=` covered, ` ` not promised, and a letter for each reason.
fn shown(ledger: &Ledger, covered: &[Stretch], on: &[Stretch], seconds: usize) -> String {
    let letter = |second: usize| {
        let inside = |it: &&Stretch| it.from <= at(second) && at(second) < it.to;
        if on.iter().find(inside).is_none() {
            return ' ';
        }
        if covered.iter().find(inside).is_some() {
            return '=';
        }
        let gap = ledger.gaps.iter().find(|gap| inside(&&gap.at)).unwrap();
        match gap.why {
            Why::OurFault => 'S',
            Why::DeviceOff => 'o',
            Why::OutOfRange => 'a',
            Why::Network => 'n',
            Why::Refused => 'r',
            Why::Said(MissingReason::SensorDetached) => 'd',
            Why::Said(_) => '?',
            Why::Silent => 's',
            Why::Damaged => '!',
        }
    };
    (0..seconds).map(letter).collect()
}

struct Rows<'a> {
    on: &'a str,
    values: &'a str,
    said: &'a str,
    link: &'a str,
    gateway: Option<&'a str>,
    outage: &'a str,
    damage: &'a str,
}

const NONE: Rows<'static> = Rows {
    on: "1111111111111111",
    values: "",
    said: "",
    link: "",
    gateway: None,
    outage: "",
    damage: "",
};

fn check(rows: &Rows<'_>, want: &str) {
    let seconds = want.chars().count();
    let (on, covered) = (stretches(rows.on, "1"), stretches(rows.values, "="));
    let (said, link_of) =
        (noted(rows.said, |_| MissingReason::SensorDetached), noted(rows.link, link));
    let gateway = rows.gateway.map(|row| noted(row, link));
    let outages = stretches(rows.outage, "x");
    let ledger = ledger(&Evidence {
        asked: Stretch { from: at(0), to: at(seconds) },
        on: &on,
        covered: &covered,
        said: &said,
        link: &link_of,
        gateway: gateway.as_deref(),
        outages: &outages,
        damaged: &stretches(rows.damage, "!"),
    });
    assert_eq!(shown(&ledger, &covered, &on, seconds), want);
    let count = |of: fn(char) -> bool| want.chars().filter(|it| of(*it)).count() as u64;
    assert_eq!(ledger.promised.as_secs(), count(|it| it != ' '));
    assert_eq!(ledger.covered.as_secs(), count(|it| it == '='));
    let lacking: Duration = ledger.gaps.iter().map(|gap| gap.at.to.since(gap.at.from)).sum();
    assert_eq!(ledger.promised, ledger.covered + lacking);
    for pair in ledger.gaps.windows(2) {
        assert!(pair[0].at.to <= pair[1].at.from && pair[0] != pair[1]);
        assert!(pair[0].at.to < pair[1].at.from || pair[0].why != pair[1].why);
    }
}

#[test]
fn every_gap_has_the_reason_that_speaks_most_directly() {
    // It was never seen to connect, as by HTTPS: it is silent.
    check(&Rows { values: "===..==", ..NONE }, "===ss==s");
    // Electrodes fell off, and hold again.
    check(&Rows { values: "===...==", said: "...d....", link: "U", ..NONE }, "===ddd==");
    // What it said before its last value is over.
    check(&Rows { values: "..==....", said: "d.......", link: "U", ..NONE }, "dd==ssss");
    // Switched off, after electrodes were taken off.
    check(&Rows { values: "==", said: "..d", link: "U...O", ..NONE }, "==ddoooo");
    check(&Rows { values: "==....==", link: "U.L..U", ..NONE }, "==nnns==");
    check(&Rows { values: "==....==", link: "U.R..U", ..NONE }, "==rrrs==");
    // What it kept and sent later has no gap.
    check(&Rows { values: "========", link: "U.L..U", ..NONE }, "========");
    // A gateway that is there knows that the device is not; one that is not knows nothing.
    let gateway = Some("U.....");
    check(&Rows { values: "==....==", link: "U.A..U", gateway, ..NONE }, "==aaas==");
    let gateway = Some("U..L.U");
    check(&Rows { values: "==....==", link: "U.A..U", gateway, ..NONE }, "==anns==");
    check(&Rows { values: "==....==", link: "U", gateway, ..NONE }, "==snns==");
}

#[test]
fn what_is_stored_and_damaged_is_a_gap_where_nothing_else_covers_it() {
    let damage = "..!!!!";
    check(&Rows { values: "==....==", damage, ..NONE }, "==!!!!==");
    // What another chunk has of that time is there.
    check(&Rows { values: "==.==.==", damage, ..NONE }, "==!==!==");
    // Whatever else was so: something was stored.
    let rows = Rows { values: "==....==", said: "..d", link: "U.O", outage: "..xx", ..NONE };
    check(&Rows { damage, ..rows }, "==!!!!==");
    check(&Rows { on: "111..111", values: "==....==", damage, ..NONE }, "==!  !==");
}

#[test]
fn nothing_is_promised_while_the_device_is_on_somebody_else() {
    check(&Rows { on: "..111..11", values: "====.====", ..NONE }, "  ==s  ==");
    check(&Rows { on: "", values: "====", ..NONE }, "    ");
}

#[test]
fn our_own_outage_is_ours_until_the_device_had_time_to_return() {
    let outage = "...xxx";
    check(&Rows { values: "===......==", link: "U", outage, ..NONE }, "===SSSSSS==");
    // It came back and had nothing to say.
    check(&Rows { values: "===......==", link: "U......U", outage, ..NONE }, "===SSSSss==");
    check(&Rows { values: "===......==", said: ".......d", outage, ..NONE }, "===SSSSdd==");
    // It was off all the time, which we cannot have known.
    check(&Rows { values: "==", link: "U.O", outage, ..NONE }, "==oSSSSS");
    // A value of after the outage, and then silence.
    check(&Rows { values: "===...=..", link: "U", outage, ..NONE }, "===SSS=ss");
    // A minute later it is the device's own silence.
    let long = format!("===SSS{}ss", "S".repeat(60));
    let on = "1".repeat(80);
    check(&Rows { on: &on, values: "===", link: "U", outage, ..NONE }, &long);
}

#[test]
fn the_share_is_rounded_down_and_nothing_has_none() {
    let of = |promised, covered| {
        let second = Duration::from_secs;
        Ledger { promised: second(promised), covered: second(covered), gaps: Vec::new() }
            .covered_permille()
    };
    assert_eq!(
        (of(0, 0), of(10, 10), of(3, 2), of(3_600, 3_599)),
        (None, Some(1_000), Some(666), Some(999))
    );
}

#[test]
fn links_have_numbers_that_read_back() {
    for link in [Link::Up, Link::Off, Link::Lost, Link::Refused, Link::Away] {
        assert_eq!(Link::of(link.code()), Some(link));
    }
    assert_eq!((Link::of(5), Link::of(-1)), (None, None));
}

/// A reference that asks every second by itself, over rows drawn from a seed.
#[test]
fn the_sweep_agrees_with_looking_at_every_second() {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = |of: &str| -> char {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let letters: Vec<char> = of.chars().collect();
        letters[usize::try_from(seed % letters.len() as u64).unwrap()]
    };
    for _ in 0..2_000 {
        let mut row = |of: &str| (0..16).map(|_| draw(of)).collect::<String>();
        let (on, values, said) = (row("1111."), row("==."), row("d......."));
        let (link_row, gateway) = (row("UOLRA........"), row("UL....."));
        let outage = row("x.........");
        let want: String = (0..16)
            .map(|now| {
                let is = |row: &str, of: char| row.chars().nth(now) == Some(of);
                let last = |row: &str| {
                    row.chars().enumerate().filter(|it| it.0 <= now && it.1 != '.').last()
                };
                if !is(&on, '1') {
                    return ' ';
                }
                if is(&values, '=') {
                    return '=';
                }
                // Within sixteen seconds nobody has to be back.
                let out = outage.chars().enumerate().filter(|it| it.0 <= now && it.1 == 'x').last();
                if let Some((out, _)) = out {
                    let after = |row: &str| last(row).is_some_and(|it| it.0 > out);
                    if out == now || !(after(&values) || after(&said) || after(&link_row)) {
                        return 'S';
                    }
                }
                let gateway = last(&gateway).map(|it| it.1);
                match last(&link_row).map(|it| it.1) {
                    Some('O') => 'o',
                    Some('R') => 'r',
                    Some('L' | 'A') => {
                        if gateway == Some('U') {
                            'a'
                        } else {
                            'n'
                        }
                    }
                    _ if gateway == Some('L') => 'n',
                    _ => {
                        let said = last(&said).map(|it| it.0);
                        // The first second of the run of values before.
                        let run = last(&values).map(|it| {
                            let before: Vec<char> = values.chars().take(it.0 + 1).collect();
                            it.0 + 1 - before.iter().rev().take_while(|it| **it == '=').count()
                        });
                        if said.is_some() && said >= run { 'd' } else { 's' }
                    }
                }
            })
            .collect();
        check(
            &Rows {
                on: &on,
                values: &values,
                said: &said,
                link: &link_row,
                gateway: Some(&gateway),
                outage: &outage,
                damage: "",
            },
            &want,
        );
    }
}

#[test]
fn of_several_sources_any_covers_and_the_best_that_is_on_says_why() {
    struct Source {
        on: Vec<Stretch>,
        covered: Vec<Stretch>,
        link: Vec<(Timestamp, Link)>,
    }
    // `.` is off the patient, `v` a value, `-` nothing; `o` nothing and said goodbye.
    let check = |rows: &[&str], want: &str| {
        let of = |row: &&str| Source {
            on: stretches(row, "v-o"),
            covered: stretches(row, "v"),
            link: noted(row, |letter| if letter == 'o' { Link::Off } else { Link::Up }),
        };
        let sources: Vec<Source> = rows.iter().map(of).collect();
        let asked = Stretch { from: at(0), to: at(want.len()) };
        let evidence: Vec<Evidence<'_>> = sources
            .iter()
            .map(|it| Evidence {
                asked,
                on: &it.on,
                covered: &it.covered,
                said: &[],
                link: &it.link,
                gateway: None,
                outages: &[],
                damaged: &[],
            })
            .collect();
        let ledger = ledger_of_any(&evidence);
        let lacks = |second: usize, why: Why| {
            ledger.gaps.iter().any(|gap| gap.why == why && within(&[gap.at], at(second)).is_some())
        };
        let mut on: Vec<Stretch> = sources.iter().flat_map(|it| it.on.clone()).collect();
        on.sort_unstable();
        let none = outside(asked, &on);
        let found: String = (0..want.len())
            .map(|second| match second {
                _ if within(&none, at(second)).is_some() => '.',
                _ if lacks(second, Why::Silent) => '-',
                _ if lacks(second, Why::DeviceOff) => 'o',
                _ => 'v',
            })
            .collect();
        assert_eq!(found, want, "{rows:?}");
        let count = |letters: &str| want.chars().filter(|it| letters.contains(*it)).count() as u64;
        assert_eq!(ledger.promised, Duration::from_secs(count("v-o")), "{rows:?}");
        assert_eq!(ledger.covered, Duration::from_secs(count("v")), "{rows:?}");
    };
    check(&["vv--vv"], "vv--vv");
    check(&["vv--vv", "--v---"], "vvv-vv");
    check(&["oovv..", "vv---v"], "vvvv-v");
    check(&["oo....", "------"], "oo----");
    check(&["..ov..", "...v.."], "..ov..");
    check(&["......"], "......");
    check(&[], "");
}
