//! Who speaks: from the verified certificate to the device, its profile and its partition.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

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
    /// Cut off, or at the end of its life.
    #[error("device {device} is {lifecycle}; put it in service on the devices screen")]
    NotInService {
        /// Which device.
        device: DeviceId,
        /// Where it stands, in words.
        lifecycle: &'static str,
    },
}

/// The devices that may speak, replaced whole by the shell when the directory changes.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<RwLock<Arc<HashMap<DeviceId, DeviceRef>>>>);

impl Registry {
    /// Puts a new set of devices in place; messages taken from then on see it.
    pub fn replace(&self, devices: HashMap<DeviceId, DeviceRef>) {
        let mut held = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        *held = Arc::new(devices);
    }

    /// A device, whatever its state.
    pub fn find(&self, device: DeviceId) -> Option<DeviceRef> {
        let held = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.get(&device).cloned()
    }

    /// The device of a certificate's claim, if it may speak.
    pub fn identify(&self, org: OrgId, device: DeviceId) -> Result<DeviceRef, UnknownDevice> {
        let found = self.find(device).ok_or(UnknownDevice::NotRegistered(device))?;
        if found.org != org {
            return Err(UnknownDevice::OtherOrg(device));
        }
        let lifecycle = match found.lifecycle {
            Lifecycle::Provisioned | Lifecycle::InService => return Ok(found),
            Lifecycle::Ordered => "ordered and not yet provisioned",
            Lifecycle::Quarantined => "quarantined",
            Lifecycle::Retired => "retired",
        };
        Err(UnknownDevice::NotInService { device, lifecycle })
    }
}
