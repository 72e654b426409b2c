//! Where the tests play: one real server for all of them, and for each test a device of
//! its own with topics that nobody else speaks on.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicU32, Ordering},
};

use rustls::ClientConfig;

use super::{
    client::{Client, Said},
    packets::Connect,
};
use crate::{
    server::{Home, Server},
    ward::{Device, Ward},
    wire::{Version, Wire, tls},
};

/// Both versions, for tests of what they have in common.
pub(crate) const BOTH: [Version; 2] = [Version::V311, Version::V5];

/// The profile of a gateway, which may publish and subscribe to topics that are not ours.
const GATEWAY: &str = "gateway";
/// The profile of a device that speaks for itself alone.
const PLAIN: &str = "oximeter";

/// One server with its ward, alive as long as a test uses it.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) ward: Ward,
    home: Home,
}

static STAGE: Mutex<Weak<Stage>> = Mutex::new(Weak::new());
static SERIAL: AtomicU32 = AtomicU32::new(1);

impl Stage {
    /// A server of one's own.
    pub(crate) fn new() -> Self {
        let home = Home::new();
        let server = Server::start(&home);
        let ward = Ward::build(&server);
        Self { server, ward, home }
    }

    /// The server that the tests share; the first one starts it, the last one ends it.
    fn shared() -> Arc<Self> {
        let mut stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
        stage.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Self::new());
            *stage = Arc::downgrade(&new);
            new
        })
    }

    /// Kills the program and starts it again on the same data.
    pub(crate) fn restart(self) -> Self {
        let Self { server, ward, home } = self;
        server.kill();
        let server = Server::start(&home);
        let ward = ward.at(&server);
        Self { server, ward, home }
    }

    /// Asks the program to end, and waits until it has.
    pub(crate) fn stop(self) {
        self.server.stop();
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }
}

/// A device, its papers, and topics of its own.
pub(crate) struct Field {
    pub(crate) stage: Arc<Stage>,
    pub(crate) device: Device,
    tls: Arc<ClientConfig>,
}

impl Field {
    /// A new gateway at the shared server.
    pub(crate) fn new() -> Self {
        Self::on(&Stage::shared())
    }

    /// A new gateway at this server.
    pub(crate) fn on(stage: &Arc<Stage>) -> Self {
        Self::of(stage, GATEWAY)
    }

    /// A device at the same server that has its own topics alone.
    pub(crate) fn plain(&self) -> Self {
        Self::of(&self.stage, PLAIN)
    }

    fn of(stage: &Arc<Stage>, profile: &str) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let device = stage.ward.enrol(profile, &format!("CONFORMANCE-{serial}"));
        Self::again(stage.clone(), device)
    }

    /// A device that is known already.
    pub(crate) fn again(stage: Arc<Stage>, device: Device) -> Self {
        let own = (device.certificate_pem.as_str(), device.key_pem.as_str());
        let tls = tls(&device.ca_pem, Some(own));
        Self { stage, device, tls }
    }

    /// A connection with TLS and nothing said.
    pub(crate) fn dial(&self, version: Version) -> Wire {
        Wire::dial(&self.stage.server, self.tls.clone(), version)
    }

    /// The papers for another transport.
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.clone()
    }

    /// A client id of the device.
    pub(crate) fn id(&self, suffix: &str) -> String {
        format!("{}:{suffix}", self.device.id)
    }

    /// A topic or filter that the device may publish and subscribe to.
    pub(crate) fn topic(&self, leaf: &str) -> String {
        format!("{}/{leaf}", self.root())
    }

    /// What all topics of this field begin with.
    pub(crate) fn root(&self) -> String {
        format!("gateway/{}", self.device.id)
    }

    /// A CONNECT of this client.
    pub(crate) fn greeting(&self, version: Version, suffix: &str) -> Connect {
        Connect::new(version, &self.id(suffix))
    }

    /// A client with a clean session that is let in.
    pub(crate) fn client(&self, version: Version, suffix: &str) -> Client {
        Client::connect(self, &self.greeting(version, suffix)).0
    }

    /// The same, with a session that is kept; the flag tells whether there was one.
    pub(crate) fn kept(&self, version: Version, suffix: &str) -> (Client, bool) {
        let (client, said) = Client::connect(self, &self.greeting(version, suffix).kept());
        let Said::Connack { present, .. } = said else { panic!("{said:?} is no CONNACK") };
        (client, present)
    }

    /// A client that hears all topics of the field with this QoS.
    pub(crate) fn witness(&self, qos: u8) -> Client {
        let mut witness = self.client(Version::V5, "witness");
        assert_eq!(witness.subscribe(&[(&self.topic("#"), qos)]), [qos]);
        witness
    }
}
