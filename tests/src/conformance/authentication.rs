//! Chapters 3.15 and 4.12: this server has no enhanced authentication, and says so.

use super::{
    connect::{code, is_not_let_in},
    *,
};
use crate::wire::packet;

fn method() -> Vec<u8> {
    property::string(property::AUTHENTICATION_METHOD, "SCRAM-SHA-256")
}

/// A body of AUTH with this code.
fn auth(code: u8, properties: &[u8]) -> Vec<u8> {
    packet(0xf0, &[&[code, u8::try_from(properties.len()).unwrap()], properties].concat())
}

#[test]
fn an_authentication_method_is_refused_with_its_own_code_and_closed() {
    let field = Field::new();
    let data = property::bytes(property::AUTHENTICATION_DATA, b"x");
    for properties in [method(), [method(), data].concat()] {
        let connect = field.greeting(Version::V5, "auth").with(properties);
        let (mut client, said) = Client::try_connect(&field, &connect);
        assert_eq!(code(&said), Some(0x8c));
        assert_eq!(client.next(), Err(End::Closed));
    }
}

#[test]
fn authentication_data_without_a_method_is_a_protocol_error() {
    let field = Field::new();
    let data = property::bytes(property::AUTHENTICATION_DATA, b"x");
    let connect = field.greeting(Version::V5, "auth").with(data);
    is_not_let_in(&field, Version::V5, &connect.bytes(), "data without a method");
}

/// Under a method that was refused, nothing of it is gone on with.
#[test]
fn an_auth_after_a_refused_method_is_not_looked_at() {
    let field = Field::new();
    let connect = field.greeting(Version::V5, "auth").with(method());
    let mut client = Client::dial(&field, Version::V5);
    client.send(&[connect.bytes(), auth(0x18, &method())].concat());
    assert_eq!(code(&client.next()), Some(0x8c));
    assert_eq!(client.next(), Err(End::Closed));
}

/// Continued, begun anew, successful, or in the short form: without a method none is allowed.
#[test]
fn an_auth_on_a_connection_without_a_method_is_a_protocol_error_and_ends_it() {
    let field = Field::new();
    for bytes in [
        auth(0x18, &method()),
        auth(0x19, &method()),
        auth(0x00, &method()),
        auth(0x19, &[]),
        packet(0xf0, &[]),
    ] {
        let mut client = field.client(Version::V5, "auth");
        client.send(&bytes);
        client.is_put_out(0x82);
    }
}

#[test]
fn there_is_no_auth_in_3_1_1() {
    let field = Field::new();
    let mut client = field.client(Version::V311, "auth");
    client.send(&packet(0xf0, &[]));
    assert_eq!(client.next(), Err(End::Closed));
}
