//! What people do with devices, as lines of each device's life.

use ::record::{Actor, CommandResult, CommandStatus, Wish};
use fleet::command::{self, NoPlan, Said, Verdict};
use model::{Association, DesiredConfig, DeviceCommand, DeviceId, Lifecycle, Subject, Timestamp};
use protocols::{command::reported, profile::check_settings};
use store::{DeviceLifeRow, Noun};

use super::{Asked, Core, Turn};
use crate::{
    directory::Answered,
    record::{Reason, Refusal},
};

impl Core {
    /// The line that a granted wish adds to the life of a device; it names no patient.
    pub(super) fn device_life_row(
        &self,
        turn: &mut Turn<'_>,
        index: u32,
        wish: &Wish,
        (by, at): (Actor, Timestamp),
    ) {
        let Some((device, what, detail)) = self.life_of_device(wish) else { return };
        let what = what.to_owned();
        self.row(turn, index, at, Noun::DeviceLife(DeviceLifeRow { device, at, what, detail, by }));
        if let Wish::Claim { subject, .. } = wish
            && *subject != Subject::Nobody
        {
            let line = Association { key: device, value: *subject, from: at, known_at: at };
            self.row(turn, index.saturating_add(1), at, Noun::Association(line));
        }
    }

    /// Whether a command is what its device's profile knows, and as it would be planned now.
    pub(super) fn judge_command(&self, given: &DeviceCommand) -> Result<(), Refusal> {
        let refuse = |reason, words: String| Err(Refusal { reason, words });
        let Some(device) = self.directory.devices.get(&given.device) else {
            return refuse(Reason::NotFound, "there is no such device".to_owned());
        };
        let profile = self.setup.profiles.get(&device.profile);
        let Some(spec) = profile.and_then(|profile| profile.command(&given.name)) else {
            let words = format!("devices of this kind have no command `{}`", given.name);
            return refuse(Reason::NotFound, words);
        };
        let is_on = self.directory.is_on_patient(given.device);
        match command::plan(spec, &given.args, device.lifecycle, is_on) {
            Ok(plan) if plan.needs_second == given.needs_second => Ok(()),
            Ok(_) => {
                let words = "the plan is not what it would be now; look again".to_owned();
                refuse(Reason::IllegalMove, words)
            }
            Err(why) => {
                let reason = match why {
                    NoPlan::NotInService(_) => Reason::NotInService,
                    NoPlan::OnAPatient => Reason::IllegalMove,
                    NoPlan::Missing { .. } | NoPlan::OutOfRange { .. } | NoPlan::Surplus { .. } => {
                        Reason::Unusable
                    }
                };
                refuse(reason, why.to_string())
            }
        }
    }

    /// Whether a configuration sets what the device's profile says that can be set.
    pub(super) fn judge_config(&self, given: &DesiredConfig) -> Result<(), Refusal> {
        let device = self.directory.devices.get(&given.device);
        let profile = device.and_then(|device| self.setup.profiles.get(&device.profile));
        let settings = profile.map_or(&[][..], |profile| &profile.settings);
        let checked = check_settings(settings, &given.json);
        checked.map_err(|why| Refusal { reason: Reason::Unusable, words: why.to_string() })
    }

    /// A device answers a command: what it reports decides whether it is done.
    pub(super) fn command_answered(&mut self, result: &CommandResult, turn: &mut Turn<'_>) {
        let now = turn.now;
        let Some(state) = self.directory.commands.get(&result.command) else { return };
        // Nobody answers for another, and what is over stays over.
        let is_own = state.command.device == result.device;
        if !is_own || command::phase(&state.life(), now).is_over() {
            return;
        }
        let given = state.command.clone();
        let device = self.directory.devices.get(&given.device);
        let profile = device.and_then(|device| self.setup.profiles.get(&device.profile));
        let Some(spec) = profile.and_then(|profile| profile.command(&given.name)) else { return };
        let said = match result.status {
            CommandStatus::Received => Said::Received,
            CommandStatus::Running => Said::Running,
            CommandStatus::Done => Said::Done,
            CommandStatus::Failed => Said::Failed,
            CommandStatus::Refused => Said::Refused,
        };
        let verdict = command::judge(said, &spec.reports, &given.args, &reported(&result.payload));
        let answer = Answered::new(now, verdict, result.text.0.clone());
        if let Some(state) = self.directory_mut().commands.get_mut(&result.command) {
            state.answer = Some(answer);
        }
        turn.out.directory_changed = true;
        if verdict != Verdict::Running {
            let (device, by) = (result.device, Actor::Device(result.device));
            let (what, detail) = (verdict_word(verdict).to_owned(), given.name);
            let row = DeviceLifeRow { device, at: now, what, detail, by };
            self.row(turn, 0, now, Noun::DeviceLife(row));
        }
    }

    /// Somebody who has the device in hand used its code.
    pub(super) fn claimed(&mut self, turn: &mut Turn<'_>, subject: Subject, asked: &Asked) {
        let Wish::Claim { code_hash, .. } = &*asked.wish else { return };
        match self.directory.claims.get(code_hash).map(|claim| claim.device) {
            Some(device) if subject != Subject::Nobody => {
                let (from, known_at) = (asked.at, asked.at);
                let line = Association { key: device, value: subject, from, known_at };
                self.associate(turn, &line, asked);
            }
            Some(_) | None => self.directory_mut().apply(&asked.wish, asked.actor, asked.at),
        }
    }

    fn life_of_device(&self, wish: &Wish) -> Option<(DeviceId, &'static str, String)> {
        let known = &*self.directory;
        let serial = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match wish {
            Wish::PutDevice(device) => Some((device.id, "registered", device.label.clone())),
            Wish::SetLifecycle { device, lifecycle, why } => {
                Some((*device, state_word(*lifecycle), why.clone().unwrap_or_default()))
            }
            Wish::PutCertificate(it) => Some((it.device, "certificate_issued", serial(&it.serial))),
            Wish::RevokeCertificate(id) => {
                let it = known.certificates.get(id)?;
                Some((it.device, "certificate_revoked", serial(&it.serial)))
            }
            Wish::Associate(line) => {
                let what = match line.value {
                    Subject::Patient(_) => "put_on_patient",
                    Subject::Place(_) => "put_in_place",
                    Subject::Nobody => "taken_off",
                };
                Some((line.key, what, String::new()))
            }
            Wish::SendCommand(it) => Some((it.device, "command_asked", it.name.clone())),
            Wish::SecondCommand(id) | Wish::WithdrawCommand(id) => {
                let it = &known.commands.get(id)?.command;
                let is_agreed = matches!(wish, Wish::SecondCommand(_));
                let what = if is_agreed { "command_agreed" } else { "command_withdrawn" };
                Some((it.device, what, it.name.clone()))
            }
            Wish::Configure(it) => Some((it.device, "configured", it.version.clone())),
            Wish::Bind(line) => {
                let gateway = line.value.and_then(|gateway| known.devices.get(&gateway));
                let what = if line.value.is_some() { "bound" } else { "unbound" };
                Some((line.key, what, gateway.map(|it| it.label.clone()).unwrap_or_default()))
            }
            Wish::OfferClaim { device, .. } => Some((*device, "claim_offered", String::new())),
            Wish::Claim { code_hash, .. } => {
                Some((known.claims.get(code_hash)?.device, "claimed", String::new()))
            }
            _ => None,
        }
    }
}

const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Running => "command_running",
        Verdict::Done => "command_done",
        Verdict::NotConfirmed => "command_not_confirmed",
        Verdict::Failed => "command_failed",
        Verdict::Refused => "command_refused",
    }
}

const fn state_word(state: Lifecycle) -> &'static str {
    match state {
        Lifecycle::Ordered => "ordered",
        Lifecycle::Provisioned => "provisioned",
        Lifecycle::InService => "in_service",
        Lifecycle::Quarantined => "quarantined",
        Lifecycle::Retired => "retired",
    }
}
