//! A bare number in the public face of a pure crate wears its unit, in its name or in the sentence beside it.
//!
//! A count, an index, a version, or a bit pattern is its own unit, and its name says so.

use std::collections::BTreeSet;

use syn::{
    Attribute, Fields, FnArg, ImplItem, Item, Pat, ReturnType, Signature, TraitItem, Type,
    Visibility, spanned::Spanned,
};

use super::{Tree, Violation, allow_none, expect_these, layers};

const NUMBERS: &[&str] = &[
    "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
    "usize",
];
const HOLDERS: &[&str] = &["Option", "Vec", "Box", "Arc", "Range", "RangeInclusive"];
/// Eight bits in a row are bytes, not numbers.
const BYTE: &str = "u8";

/// Words that are a unit or make one unnecessary.
const WORDS: &[&str] = &[
    // Time and frequency.
    "nanos",
    "nanoseconds",
    "ns",
    "micros",
    "microseconds",
    "us",
    "millis",
    "milliseconds",
    "ms",
    "seconds",
    "second",
    "secs",
    "s",
    "minutes",
    "minute",
    "min",
    "hours",
    "hour",
    "days",
    "day",
    "years",
    "year",
    "hz",
    "mhz",
    "hertz",
    "rate",
    "month",
    "months",
    // Amounts, pressure, voltage, length, angle.
    "mg",
    "ug",
    "g",
    "kg",
    "litres",
    "grams",
    "ml",
    "l",
    "mmol",
    "mol",
    "mmhg",
    "kpa",
    "pa",
    "hpa",
    "cmh2o",
    "uv",
    "mv",
    "microvolts",
    "millivolts",
    "volts",
    "mm",
    "cm",
    "m",
    "metres",
    "degrees",
    "radians",
    "cel",
    "celsius",
    "ppm",
    "db",
    "unit",
    "units",
    "ucum",
    // Parts of a whole and powers of ten.
    "percent",
    "fraction",
    "ratio",
    "tenths",
    "hundredths",
    "thousandths",
    "millionths",
    "permille",
    "ppb",
    "beats",
    "breaths",
    "gain",
    "per",
    "exp10",
    "mantissa",
    "exponent",
    "factor",
    "weight",
    "probability",
    // Counts and places.
    "count",
    "items",
    "indices",
    "many",
    "counts",
    "number",
    "len",
    "length",
    "size",
    "index",
    "position",
    "offset",
    "seq",
    "sequence",
    "sample",
    "samples",
    "bytes",
    "byte",
    "bits",
    "bit",
    "line",
    "column",
    "row",
    "depth",
    "capacity",
    "times",
    "points",
    "lines",
    "parts",
    "total",
    "frames",
    "messages",
    "records",
    "rounds",
    "width",
    "height",
    "generation",
    "ordinal",
    "nth",
    "step",
    "level",
    "channels",
    "beds",
    "boot",
    // Names made of digits.
    "id",
    "code",
    "kind",
    "version",
    "port",
    "crc",
    "crc32c",
    "checksum",
    "hash",
    "seed",
    "random",
    "key",
    "tag",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "i64",
    "mask",
    "flags",
    "discriminant",
    "raw",
    "org",
    "partition",
    "score",
    "entropy",
    "dimensionless",
];

fn words(name: &str) -> BTreeSet<String> {
    let mut spaced = String::new();
    let mut previous = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && previous.is_lowercase() {
            spaced.push(' ');
        }
        spaced.extend(letter.to_lowercase());
        previous = letter;
    }
    spaced.split(|it: char| !it.is_alphanumeric()).map(str::to_owned).collect()
}

fn wears_a_unit(name: &str, docs: &str) -> bool {
    let known = |it: &String| WORDS.contains(&it.as_str());
    // A symbol that no word could hold, such as `/min`, `%` or `µV`.
    let symbol = ["/min", "%", "µ", "°"].iter().any(|it| docs.contains(it));
    symbol || words(name).iter().any(known) || words(docs).iter().any(known)
}

/// Whether the type is a bare number, or holds some.
fn is_bare(ty: &Type, in_a_row: bool) -> bool {
    match ty {
        Type::Reference(it) => is_bare(&it.elem, in_a_row),
        Type::Slice(it) => is_bare(&it.elem, true),
        Type::Array(it) => is_bare(&it.elem, true),
        Type::Tuple(it) => it.elems.iter().any(|it| is_bare(it, in_a_row)),
        Type::Path(it) => it.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            if NUMBERS.contains(&name.as_str()) {
                return !(in_a_row && name == BYTE);
            }
            let syn::PathArguments::AngleBracketed(inner) = &last.arguments else { return false };
            HOLDERS.contains(&name.as_str())
                && inner.args.iter().any(|it| {
                    matches!(it, syn::GenericArgument::Type(ty) if is_bare(ty, in_a_row || name == "Vec"))
                })
        }),
        _ => false,
    }
}

/// What stands beside an item in words: its documentation, and the message of an error.
fn docs_of(attributes: &[Attribute]) -> String {
    let text = |it: &Attribute| match &it.meta {
        syn::Meta::List(list) if list.path.is_ident("error") => Some(list.tokens.to_string()),
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    };
    attributes.iter().filter_map(text).collect::<Vec<_>>().join(" ")
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| {
        let is_cfg_test = || it.parse_args::<syn::Path>().is_ok_and(|what| what.is_ident("test"));
        it.path().is_ident("test") || it.path().is_ident("cfg") && is_cfg_test()
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

struct Reader<'a> {
    path: &'a str,
    found: Vec<Violation>,
}

impl Reader<'_> {
    fn number(&mut self, name: &str, docs: &str, ty: &Type) {
        if is_bare(ty, false) && !wears_a_unit(name, docs) {
            let what = format!("the number `{name}` has no unit");
            let remedy = "put the unit into its name or its sentence, or make it a quantity";
            self.found.push(Violation::new(self.path, ty.span().start().line, what, remedy));
        }
    }

    fn signature(&mut self, signature: &Signature, docs: &str) {
        for input in &signature.inputs {
            if let FnArg::Typed(input) = input {
                let name = match &*input.pat {
                    Pat::Ident(it) => it.ident.to_string(),
                    _ => String::from("_"),
                };
                self.number(&name, docs, &input.ty);
            }
        }
        if let ReturnType::Type(_, ty) = &signature.output {
            self.number(&signature.ident.to_string(), docs, ty);
        }
    }

    fn fields(&mut self, of: &str, docs: &str, fields: &Fields, all_public: bool) {
        for field in fields.iter().filter(|it| all_public || is_public(&it.vis)) {
            let name = field.ident.as_ref().map_or_else(|| of.to_owned(), ToString::to_string);
            self.number(&name, &format!("{docs} {}", docs_of(&field.attrs)), &field.ty);
        }
    }

    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Fn(it) if is_public(&it.vis) && !is_for_tests(&it.attrs) => {
                    self.signature(&it.sig, &docs_of(&it.attrs));
                }
                Item::Struct(it) if is_public(&it.vis) => {
                    self.fields(&it.ident.to_string(), &docs_of(&it.attrs), &it.fields, false);
                }
                Item::Enum(it) if is_public(&it.vis) => {
                    for variant in &it.variants {
                        let docs = format!("{} {}", docs_of(&it.attrs), docs_of(&variant.attrs));
                        self.fields(&variant.ident.to_string(), &docs, &variant.fields, true);
                    }
                }
                Item::Const(it) if is_public(&it.vis) => {
                    self.number(&it.ident.to_string(), &docs_of(&it.attrs), &it.ty);
                }
                // What a trait names is the trait's to name; its items wear no `pub` here.
                Item::Impl(it) if !is_for_tests(&it.attrs) => {
                    for inner in &it.items {
                        match inner {
                            ImplItem::Fn(it) if is_public(&it.vis) => {
                                self.signature(&it.sig, &docs_of(&it.attrs));
                            }
                            ImplItem::Const(it) if is_public(&it.vis) => {
                                self.number(&it.ident.to_string(), &docs_of(&it.attrs), &it.ty);
                            }
                            _ => {}
                        }
                    }
                }
                Item::Trait(it) if is_public(&it.vis) => {
                    for inner in &it.items {
                        if let TraitItem::Fn(it) = inner {
                            self.signature(&it.sig, &docs_of(&it.attrs));
                        }
                    }
                }
                Item::Mod(it) if !is_for_tests(&it.attrs) => {
                    let inside = it.content.as_ref().map(|(_, items)| items.as_slice());
                    self.items(inside.unwrap_or_default());
                }
                _ => {}
            }
        }
    }
}

fn violations(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for name in layers::pure() {
        for (path, text) in tree.rust_below(&format!("crates/{name}/src")) {
            if path.ends_with("/tests.rs") {
                continue;
            }
            match syn::parse_file(text) {
                Ok(file) => {
                    let mut reader = Reader { path, found: Vec::new() };
                    reader.items(&file.items);
                    found.extend(reader.found);
                }
                Err(error) => {
                    let line = error.span().start().line;
                    found.push(Violation::new(path, line, "is not Rust", "make it compile"));
                }
            }
        }
    }
    found
}

#[test]
fn wear_units() {
    allow_none(&violations(Tree::here()));
}

#[test]
fn a_bare_number_without_a_unit_is_found_wherever_it_is_public() {
    let bad = "
pub fn wait(delay: i64, delay_ms: i64, on: bool) -> f64 { 0.0 }
pub struct Limit { pub low: f64, pub rate_hz: u32, high: f64,
    /// In mg.
    pub dose: Option<f64> }
pub struct Dose(pub f32);
impl Limit { pub fn highest(&self) -> Option<f32> { None } fn inner(x: f64) {} }
impl Default for Limit { fn default(x: f64) {} }
pub trait Source { fn next(&mut self) -> &[i16]; }
pub enum Verdict { Above(f64), Index(usize) }
pub const WINDOW: u64 = 9;
/// What is stored.
pub fn body(data: &[u8]) -> Vec<u8> { vec![] }
fn private(x: f64) {}
#[cfg(test)]
mod tests { pub fn sample(x: f64) {} }
";
    let tree = Tree::of(&[("crates/care/src/lib.rs", bad), ("crates/api/src/lib.rs", bad)]);
    let want = [
        "crates/care/src/lib.rs:2: the number `delay` has no unit",
        "crates/care/src/lib.rs:2: the number `wait` has no unit",
        "crates/care/src/lib.rs:3: the number `low` has no unit",
        "crates/care/src/lib.rs:6: the number `Dose` has no unit",
        "crates/care/src/lib.rs:7: the number `highest` has no unit",
        "crates/care/src/lib.rs:9: the number `next` has no unit",
        "crates/care/src/lib.rs:10: the number `Above` has no unit",
        "crates/care/src/lib.rs:11: the number `WINDOW` has no unit",
    ];
    expect_these(&violations(&tree), &want);
}
