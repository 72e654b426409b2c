//! Who speaks: from the verified certificate to the device, its profile and its partition.

use std::{fmt, sync::Arc};

use fleet::lifecycle::{may_speak, word};
use model::{DeviceId, Lifecycle, OrgId, PartitionId, SiteId};
use protocols::profile::Profile;

/// A device as the door needs it.
#[derive(Clone, Debug)]
pub struct DeviceRef {
    /// Names it.
    pub id: DeviceId,
    /// Whose it is.
    pub org: OrgId,
    /// Where its topics live.
    pub site: SiteId,
    /// Where its messages are ordered: its care unit, or the site's `unassigned`.
    pub partition: PartitionId,
    /// What it sends and how its clock behaves.
    pub profile: Arc<Profile>,
    /// Where it stands in its life.
    pub lifecycle: Lifecycle,
    /// The gateway that may speak for it, beside itself.
    pub gateway: Option<DeviceId>,
}

/// Why a device may not speak.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownDevice {
    /// The certificate is ours and the registry has no such device.
    #[error("device {0} is not registered here; add it on the devices screen")]
    NotRegistered(DeviceId),
    /// The certificate names another organization than the registry.
    #[error("device {0} belongs to another organization")]
    OtherOrg(DeviceId),
    /// Nobody proved to be the sender.
    #[error("nobody is known to have sent it")]
    Nobody,
    /// Not yet ready, cut off, or at the end of its life.
    #[error("device {device} is {}; put it in service on the devices screen", word(*.lifecycle))]
    NotInService {
        /// Which device.
        device: DeviceId,
        /// Where it stands.
        lifecycle: Lifecycle,
    },
}

impl UnknownDevice {
    /// A short stable word.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Nobody | Self::NotRegistered(_) => "device:unknown",
            Self::OtherOrg(_) => "device:other_org",
            Self::NotInService { lifecycle, .. } => match lifecycle {
                Lifecycle::Quarantined => "device:quarantined",
                Lifecycle::Retired => "device:retired",
                Lifecycle::Ordered | Lifecycle::Provisioned | Lifecycle::InService => {
                    "device:ordered"
                }
            },
        }
    }
}

/// Where the door looks a device up; it answers from memory, and always with what holds now.
#[derive(Clone)]
pub struct Registry(Arc<Lookup>);

type Lookup = dyn Fn(DeviceId) -> Option<DeviceRef> + Send + Sync;

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}

impl Registry {
    /// A registry that asks this; the shell gives it the engine's directory.
    pub fn new(lookup: impl Fn(DeviceId) -> Option<DeviceRef> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// A device, whatever its state.
    pub fn find(&self, device: DeviceId) -> Option<DeviceRef> {
        (self.0)(device)
    }

    /// The device of a certificate's claim, if it may speak.
    pub fn identify(&self, org: OrgId, device: DeviceId) -> Result<DeviceRef, UnknownDevice> {
        let found = self.find(device).ok_or(UnknownDevice::NotRegistered(device))?;
        if found.org != org {
            return Err(UnknownDevice::OtherOrg(device));
        }
        if may_speak(found.lifecycle) {
            return Ok(found);
        }
        Err(UnknownDevice::NotInService { device, lifecycle: found.lifecycle })
    }
}
