//! Who speaks: the device of the connection's certificate, asked again at each request.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse as _, Response},
};
use ingest::{DeviceRef, Incident};
use security::DeviceIdentity;

use super::answer::Refused;
use crate::{Api, listener::Place};

/// The other end of a connection, as its handshake left it.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    pub(super) remote: SocketAddr,
    /// None for a client without a certificate.
    pub(super) identity: Option<Arc<DeviceIdentity>>,
    /// The connection's, for as long as anything of it lives.
    pub(super) place: Arc<Place>,
}

/// A device that may speak now.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    pub(super) device: DeviceRef,
    pub(super) identity: Arc<DeviceIdentity>,
    pub(super) remote: SocketAddr,
    /// That of its connection, for what outlives the answer.
    pub(super) place: Arc<Place>,
}

impl Guest {
    /// The device, if it may speak now: its certificate is not revoked and its place in
    /// its life allows it.
    pub(super) fn speaks(&self, api: &Api) -> Result<Speaker, Refused> {
        let Some(identity) = &self.identity else {
            self.tell(api, "tls:no_certificate", "no client certificate came with the connection");
            return Err(Refused::NoCertificate);
        };
        if api.revocations.is_revoked(&identity.serial) {
            self.tell(api, "tls:revoked", "the certificate is revoked");
            return Err(Refused::Revoked);
        }
        let device = api.door.registry().identify(identity.org, identity.device);
        let device = device.map_err(|unknown| {
            self.tell(api, unknown.reason(), &unknown.to_string());
            Refused::Unknown(unknown)
        })?;
        let (identity, place) = (Arc::clone(identity), Arc::clone(&self.place));
        Ok(Speaker { device, identity, remote: self.remote, place })
    }

    /// Takes note of a refusal, for whoever looks for the device's trouble.
    fn tell(&self, api: &Api, reason: &str, words: &str) {
        let identity = self.identity.as_deref();
        let incident = Incident {
            door: "https",
            remote: Some(self.remote),
            device: identity.map(|it| it.device),
            serial: identity.map(|it| it.serial.clone()),
            fingerprint: None,
            subject: None,
            reason: reason.to_owned(),
            words: words.to_owned(),
        };
        api.door.turned_away(api.clock.now(), incident);
    }
}

impl FromRequestParts<Arc<Api>> for Speaker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Response> {
        let guest = parts.extensions.get::<Guest>();
        let guest = guest.ok_or_else(|| Refused::NoCertificate.into_response())?;
        guest.speaks(api).map_err(|refused| refused.into_response())
    }
}
