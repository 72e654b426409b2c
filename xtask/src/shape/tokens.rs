//! Rust as a flat list of tokens with their lines: comments and strings cannot be mistaken for code.
//!
//! Unlike a syntax tree it also sees inside of macros, such as `proptest!` and `matches!`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Violation;

/// One token; of a group its two brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// The tokens of a file, or why there are none.
pub fn tokens(path: &str, text: &str) -> Result<Vec<Token>, Violation> {
    match text.parse::<TokenStream>() {
        Ok(stream) => {
            let mut flat = Vec::new();
            flatten(stream, &mut flat);
            Ok(flat)
        }
        Err(error) => {
            let line = error.span().start().line;
            Err(Violation::new(path, line, format!("is not Rust: {error}"), "make it compile"))
        }
    }
}

fn flatten(stream: TokenStream, flat: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                flat.push(Token { text: open.into(), line });
                flatten(group.stream(), flat);
                flat.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            TokenTree::Ident(ident) => flat.push(Token { text: ident.to_string(), line }),
            TokenTree::Punct(punct) => flat.push(Token { text: punct.as_char().into(), line }),
            TokenTree::Literal(literal) => flat.push(Token { text: literal.to_string(), line }),
        }
    }
}

/// Where these texts stand one after another.
pub fn positions<'a>(
    tokens: &'a [Token],
    wanted: &'a [&str],
) -> impl Iterator<Item = &'a Token> + 'a {
    let matches =
        |window: &&[Token]| window.iter().map(|it| it.text.as_str()).eq(wanted.iter().copied());
    tokens.windows(wanted.len()).filter(matches).map(|window| &window[0])
}

/// The index after the bracket that closes the one at `open`.
pub fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[test]
fn comments_and_strings_are_no_tokens_and_macros_are_seen_through() {
    let text = "// dbg!(1)\nfn f() { let s = \"dbg!(2)\";\n x!(dbg!(3)); }";
    let tokens = tokens("a.rs", text).unwrap();
    let lines: Vec<usize> = positions(&tokens, &["dbg", "!"]).map(|it| it.line).collect();
    assert_eq!(lines, [3]);
}

#[test]
fn a_file_that_is_no_rust_is_a_violation() {
    let refusal = tokens("a.rs", "fn f( {").unwrap_err();
    assert!(refusal.to_string().starts_with("a.rs:1: is not Rust"), "{refusal}");
}
