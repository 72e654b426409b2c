//! Commands to devices, their configuration, their gateways and their claims: what may be
//! asked, and what is kept of it.

use std::time::Duration;

use ::record::{Actor, coded};
use fleet::{
    command::{self, Life, Phase, Verdict},
    lifecycle::{Wanted, may_move},
};
use model::{
    Binding, CareUnitId, CommandId, DesiredConfig, DeviceCommand, DeviceId, Lifecycle, Line,
    Subject, Timestamp,
};

use super::{
    Directory,
    apply::add,
    check::{Check, Checked, need, not_ahead, refuse, text},
};
use crate::{
    limits::{CLAIM_LASTS_MAX, COMMANDS_OF_A_DEVICE_MAX, CONFIG_LEN_MAX},
    record::Reason,
};

/// A command with all that happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandState {
    /// What was asked for.
    pub command: DeviceCommand,
    /// By whom.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Who agreed, and when.
    pub seconded: Option<(Actor, Timestamp)>,
    /// Who took it back, and when.
    pub withdrawn: Option<(Actor, Timestamp)>,
    /// What the device said last.
    pub answer: Option<Answered>,
}

/// An answer of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// When it reached us.
    pub at: Timestamp,
    /// What it means, by its number.
    verdict: u8,
    /// The device's own words.
    pub words: String,
}

/// The configuration that a device shall have, and whose wish it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ConfigState {
    pub config: DesiredConfig,
    pub by: Actor,
    pub at: Timestamp,
}

/// A code for a device, used or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Claim {
    pub device: DeviceId,
    pub expires_at: Timestamp,
    pub is_used: bool,
}

coded! {
    struct CommandState {
        0 command, 1 by, 2 at, 3 seconded, 4 withdrawn, 5 answer
    }
    struct Answered { 0 at, 1 verdict, 2 words }
    struct ConfigState { 0 config, 1 by, 2 at }
    struct Claim { 0 device, 1 expires_at, 2 is_used }
}

/// The numbers of verdicts in a checkpoint.
const VERDICTS: [Verdict; 5] =
    [Verdict::Running, Verdict::Done, Verdict::NotConfirmed, Verdict::Failed, Verdict::Refused];

impl Answered {
    /// An answer that reached us at `at`.
    pub(crate) fn new(at: Timestamp, verdict: Verdict, words: String) -> Self {
        let number = VERDICTS.iter().position(|known| *known == verdict).unwrap_or(0);
        Self { at, verdict: u8::try_from(number).unwrap_or(0), words }
    }

    /// What it means.
    pub fn verdict(&self) -> Verdict {
        VERDICTS.get(usize::from(self.verdict)).copied().unwrap_or(Verdict::Running)
    }
}

impl CommandState {
    /// What the machine of commands knows of it.
    pub fn life(&self) -> Life {
        Life {
            expires_at: self.command.expires_at,
            needs_second: self.command.needs_second,
            is_seconded: self.seconded.is_some(),
            is_withdrawn: self.withdrawn.is_some(),
            answer: self.answer.as_ref().map(|answer| (answer.at, answer.verdict())),
        }
    }
}

impl Directory {
    /// The gateway that speaks for a device now.
    pub fn gateway_of(&self, device: DeviceId) -> Option<DeviceId> {
        self.now_holds.gateway_of.get(&device).copied()
    }

    /// The devices that a gateway speaks for now.
    pub fn bound_to(&self, gateway: DeviceId) -> impl Iterator<Item = DeviceId> + '_ {
        let bound = self.now_holds.gateway_of.iter();
        bound.filter(move |(_, other)| **other == gateway).map(|(device, _)| *device)
    }

    /// The commands to a device that are kept, the latest first.
    pub fn commands_of(&self, device: DeviceId) -> Vec<&CommandState> {
        let all = self.commands.values();
        let mut of: Vec<_> = all.filter(|state| state.command.device == device).collect();
        of.sort_by_key(|state| std::cmp::Reverse((state.at, state.command.id)));
        of
    }

    /// The device that an unused code claims, if it has not expired.
    pub fn claim_of(&self, code_hash: &[u8; 32], now: Timestamp) -> Option<DeviceId> {
        let claim = self.claims.get(code_hash)?;
        let holds = !claim.is_used && now < claim.expires_at;
        holds.then_some(claim.device)
    }

    /// Whether a device is on a patient now.
    pub fn is_on_patient(&self, device: DeviceId) -> bool {
        matches!(self.subject_of(device), Subject::Patient(_))
    }

    /// Whether a command may reach its device at `now`, again included: it is not over, and
    /// whoever is on the device is whom the person had in mind.
    pub fn may_reach(&self, state: &CommandState, now: Timestamp) -> bool {
        let is_over = command::phase(&state.life(), now).is_over();
        !is_over && self.subject_of(state.command.device) == state.command.on
    }

    /// Whether a command is to be published at `now`, if its device is there.
    pub fn is_to_be_sent(&self, state: &CommandState, now: Timestamp) -> bool {
        let is_sent = command::phase(&state.life(), now) == Phase::Sent;
        is_sent && self.may_reach(state, now)
    }

    pub(super) fn send_command(&mut self, command: &DeviceCommand, by: Actor, at: Timestamp) {
        let state = CommandState {
            command: command.clone(),
            by,
            at,
            seconded: None,
            withdrawn: None,
            answer: None,
        };
        self.commands.insert(command.id, state);
        let surplus: Vec<CommandId> = self
            .commands_of(command.device)
            .into_iter()
            .skip(COMMANDS_OF_A_DEVICE_MAX)
            .map(|state| state.command.id)
            .collect();
        for id in surplus {
            self.commands.remove(&id);
        }
    }

    pub(super) fn second_command(&mut self, id: CommandId, by: Actor, at: Timestamp) {
        if let Some(state) = self.commands.get_mut(&id) {
            state.seconded.get_or_insert((by, at));
        }
    }

    pub(super) fn withdraw_command(&mut self, id: CommandId, by: Actor, at: Timestamp) {
        if let Some(state) = self.commands.get_mut(&id) {
            state.withdrawn.get_or_insert((by, at));
        }
    }

    /// A command that was planned for one patient never reaches the device on another.
    pub(super) fn withdraw_commands_of(&mut self, device: DeviceId, now: Subject, at: Timestamp) {
        let open = self.commands.values_mut().filter(|state| state.command.device == device);
        for state in open {
            let is_over = command::phase(&state.life(), at).is_over();
            if !is_over && state.answer.is_none() && state.command.on != now {
                state.withdrawn = Some((Actor::System, at));
            }
        }
    }

    pub(super) fn configure(&mut self, config: &DesiredConfig, by: Actor, at: Timestamp) {
        let state = ConfigState { config: config.clone(), by, at };
        self.configs.insert(config.device, state);
    }

    pub(super) fn bind(&mut self, line: Binding, at: Timestamp) {
        let gateway = add(&mut self.bindings, line, at).flatten();
        self.now_holds.speak(line.key, gateway);
    }

    pub(super) fn offer_claim(&mut self, device: DeviceId, hash: [u8; 32], expires_at: Timestamp) {
        // A new code makes older ones of the same device worthless.
        self.claims.retain(|_, claim| claim.device != device);
        self.claims.insert(hash, Claim { device, expires_at, is_used: false });
    }

    pub(super) fn claim(
        &mut self,
        code_hash: [u8; 32],
        care_unit: Option<CareUnitId>,
        subject: Subject,
        at: Timestamp,
    ) {
        let Some(claim) = self.claims.get_mut(&code_hash) else { return };
        claim.is_used = true;
        let claim = *claim;
        if let Some(device) = self.devices.get_mut(&claim.device) {
            device.lifecycle = Lifecycle::InService;
            device.care_unit = care_unit.or(device.care_unit);
        }
        if subject != Subject::Nobody {
            let line = Line { key: claim.device, value: subject, from: at, known_at: at };
            self.associate(line, at);
        }
    }
}

impl Check<'_> {
    pub(super) fn send_command(&self, command: &DeviceCommand) -> Checked {
        self.device(command.device)?;
        let is_new = !self.directory.commands.contains_key(&command.id);
        need(is_new, Reason::NotUnique, "there is a command of this number already")?;
        let is_there = self.directory.subject_of(command.device) == command.on;
        let words = "the device is on somebody else now; look again before it is touched";
        need(is_there, Reason::IllegalMove, words)?;
        let holds =
            command.expires_at > self.at && command.expires_at.since(self.at) <= command::LASTS_MAX;
        need(holds, Reason::WrongTime, "the command would be over already, or lasts over a day")
    }

    pub(super) fn second_command(&self, id: CommandId, actor: Actor) -> Checked {
        let state = self.command(id)?;
        let may = command::may_second(&state.life(), state.by == actor, self.at);
        may.or_else(|why| refuse(Reason::IllegalMove, why.to_string()))
    }

    pub(super) fn withdraw_command(&self, id: CommandId) -> Checked {
        let may = command::may_withdraw(&self.command(id)?.life(), self.at);
        may.or_else(|why| refuse(Reason::IllegalMove, why.to_string()))
    }

    fn command(&self, id: CommandId) -> Result<&CommandState, crate::Refusal> {
        let state = self.directory.commands.get(&id);
        let own = state.filter(|state| self.device(state.command.device).is_ok());
        let words = "there is no such command".to_owned();
        own.ok_or(crate::Refusal { reason: Reason::NotFound, words })
    }

    pub(super) fn configure(&self, config: &DesiredConfig) -> Checked {
        self.device(config.device)?;
        text("version", &config.version)?;
        let is_free = !self.directory.is_on_patient(config.device);
        let words = "the device is on a patient; take it off, then set its configuration";
        need(is_free, Reason::IllegalMove, words)?;
        let fits = config.json.len() <= CONFIG_LEN_MAX;
        need(fits, Reason::Unusable, "a configuration has at most 16 KiB")
    }

    pub(super) fn bind(&self, line: &Binding) -> Checked {
        self.device(line.key)?;
        not_ahead(line.from, self.at)?;
        let Some(gateway) = line.value else { return Ok(()) };
        self.device(gateway)?;
        need(gateway != line.key, Reason::Unusable, "a device is not its own gateway")?;
        let is_bound = self.directory.gateway_of(gateway).is_some();
        let words = "the gateway is itself bound to a gateway";
        need(!is_bound, Reason::IllegalMove, words)?;
        let speaks = self.directory.bound_to(line.key).next().is_some();
        need(!speaks, Reason::IllegalMove, "the device speaks for others itself")
    }

    pub(super) fn offer_claim(&self, device: DeviceId, expires_at: Timestamp) -> Checked {
        let device = self.device(device)?;
        let waits = matches!(device.lifecycle, Lifecycle::Ordered | Lifecycle::Provisioned);
        let words = "only a device that is ordered or provisioned can be claimed";
        need(waits, Reason::IllegalMove, words)?;
        let lasts = expires_at.since(self.at);
        let holds = (Duration::from_secs(1)..=CLAIM_LASTS_MAX).contains(&lasts);
        need(holds, Reason::WrongTime, "a code lasts from 1 s to 30 days")
    }

    pub(super) fn claim(
        &self,
        code_hash: &[u8; 32],
        care_unit: Option<CareUnitId>,
        subject: Subject,
    ) -> Checked {
        let Some(device) = self.directory.claim_of(code_hash, self.at) else {
            return refuse(Reason::NotFound, "this code is not known, used, or too old");
        };
        let device = self.device(device)?;
        if let Some(unit) = care_unit {
            self.care_unit(unit)?;
            let site = self.directory.site_of(unit);
            need(site == Some(device.site), Reason::Unusable, "the care unit is of another site")?;
        }
        if let Subject::Patient(patient) = subject {
            self.patient(patient)?;
        }
        let (from, to) = (device.lifecycle, Lifecycle::InService);
        let wanted = Wanted { from, to, is_on_patient: false, has_reason: true };
        may_move(wanted).or_else(|why| refuse(Reason::IllegalMove, why.to_string()))
    }
}
