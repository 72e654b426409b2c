//! Commands to a device: planned with what will happen and on whom, agreed to by a second
//! person where it matters, and done when the device says so.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{Method, StatusCode},
};
use engine::CommandState;
use fleet::command::plan;
use model::{CommandId, DesiredConfig, DeviceCommand, DeviceId, PatientId, Role, Subject};
use record::Wish;
use security::{Action, Resource};

use crate::{
    Api,
    command::new_id,
    dto::fleet::{Command, CommandKind, CommandPlan, Configuration, NewCommand, SetConfiguration},
    extract::{Given, Named},
    guard::{Caller, parse, patient_resource},
    problem::Problem,
    routes::{Access, Route, Scope},
};

pub(super) fn routes() -> Vec<Route> {
    let read = Access::Permitted(Action::ReadDevices, Scope::Device);
    let send = Access::Permitted(Action::SendCommand, Scope::Device);
    let second = Access::Permitted(Action::SecondCommand, Scope::Device);
    vec![
        Route::new(
            Method::GET,
            "/devices/{id}/commands",
            read,
            "What a device can be told, and its latest commands with how far they have come",
            list,
        )
        .answers::<Commands>(),
        Route::new(
            Method::POST,
            "/devices/{id}/commands/plan",
            send,
            "What a command would do, and on whom; nothing happens",
            show_plan,
        )
        .takes::<NewCommand>()
        .answers::<CommandPlan>(),
        Route::new(Method::POST, "/devices/{id}/commands", send, "Gives a command", give)
            .takes::<NewCommand>()
            .answers::<Command>()
            .status(201),
        Route::new(
            Method::POST,
            "/devices/{id}/commands/{command}/second",
            second,
            "Agrees to a command for a device that is on a patient, as a second person",
            agree,
        )
        .answers::<Command>(),
        Route::new(
            Method::DELETE,
            "/devices/{id}/commands/{command}",
            send,
            "Takes a command back that waits for a second look",
            withdraw,
        )
        .answers::<Command>(),
        Route::new(
            Method::GET,
            "/devices/{id}/configuration",
            read,
            "The configuration that a device shall have, and the one that it reports",
            configuration,
        )
        .answers::<Configuration>(),
        Route::new(
            Method::PUT,
            "/devices/{id}/configuration",
            Access::Permitted(Action::ConfigureDevice, Scope::Device),
            "Sets the configuration that a device shall have; not while it is on a patient",
            configure,
        )
        .takes::<SetConfiguration>()
        .answers::<Configuration>(),
    ]
}

/// What a device can be told, and what it was told.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Commands {
    kinds: Vec<CommandKind>,
    commands: Vec<Command>,
}

/// The patient whom a device is on, if on one.
fn patient_of(on: Subject) -> Option<PatientId> {
    match on {
        Subject::Patient(patient) => Some(patient),
        Subject::Place(_) | Subject::Nobody => None,
    }
}

impl Api {
    fn show_command(&self, caller: &Caller, state: &CommandState) -> Command {
        let directory = self.engine.directory();
        let device = directory.devices.get(&state.command.device);
        let profile = device.and_then(|device| self.profiles.get(&device.profile));
        let spec = profile.and_then(|profile| profile.command(&state.command.name));
        Command::of(state, spec, &directory, caller.at, caller.who.role != Role::It)
    }

    fn find_command(&self, device: DeviceId, id: CommandId) -> Result<CommandState, Problem> {
        let directory = self.engine.directory();
        let found = directory.commands.get(&id).filter(|it| it.command.device == device);
        found.cloned().ok_or_else(|| Problem::not_found("the device has no such command"))
    }

    /// Plans a command for the device as it is now.
    fn plan(
        &self,
        caller: &Caller,
        id: DeviceId,
        given: &NewCommand,
    ) -> Result<(DeviceCommand, CommandPlan), Problem> {
        let directory = self.engine.directory();
        let nothing = || Problem::not_found("there is no such device");
        let device = directory.devices.get(&id).ok_or_else(nothing)?;
        let profile = self.profiles.get(&device.profile);
        let spec = profile.and_then(|profile| profile.command(&given.name)).ok_or_else(|| {
            Problem::not_found(format!("devices of this kind have no command `{}`", given.name))
        })?;
        let on = directory.subject_of(id);
        let args: Vec<(String, i64)> =
            given.args.iter().map(|(name, value)| (name.clone(), *value)).collect();
        let plan = plan(spec, &args, device.lifecycle, patient_of(on).is_some())
            .map_err(Problem::conflict)?;
        let lasts = given.lasts_s.map_or(spec.lasts, Duration::from_secs);
        let command = DeviceCommand {
            id: new_id(caller.at)?,
            device: id,
            name: spec.name.clone(),
            args,
            on,
            needs_second: plan.needs_second,
            expires_at: caller.at.after(lasts),
        };
        let ways = [Some(id), directory.gateway_of(id)];
        let connected = self.mqtt.as_ref().is_some_and(|mqtt| {
            mqtt.connections().iter().any(|connection| ways.contains(&Some(connection.device)))
        });
        let sees_patients = caller.who.role != Role::It;
        let shown = CommandPlan::of(&command, spec, device, &directory, (sees_patients, connected));
        Ok((command, shown))
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Commands>, Problem> {
    let id: DeviceId = parse(&id)?;
    let directory = api.engine.directory();
    let device = directory.devices.get(&id);
    let profile = device.and_then(|device| api.profiles.get(&device.profile));
    let kinds = profile.map(|it| it.commands.iter().map(CommandKind::of).collect());
    let commands = directory.commands_of(id);
    Ok(Json(Commands {
        kinds: kinds.unwrap_or_default(),
        commands: commands.into_iter().map(|state| api.show_command(&caller, state)).collect(),
    }))
}

async fn show_plan(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<NewCommand>,
) -> Result<Json<CommandPlan>, Problem> {
    let (_, plan) = api.plan(&caller, parse(&id)?, &given)?;
    Ok(Json(plan))
}

async fn give(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<NewCommand>,
) -> Result<(StatusCode, Json<Command>), Problem> {
    let id: DeviceId = parse(&id)?;
    let (command, plan) = api.plan(&caller, id, &given)?;
    if given.on.as_deref() != Some(plan.on.as_str()) {
        let words = format!(
            "`on` says whom the device is on when you decided; it is `{}` now, plan it again",
            plan.on
        );
        return Err(Problem::conflict(words));
    }
    let number = command.id;
    api.ask(&caller, Wish::SendCommand(command)).await?;
    api.carry_out();
    let state = api.find_command(id, number)?;
    Ok((StatusCode::CREATED, Json(api.show_command(&caller, &state))))
}

async fn agree(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((id, command)): Named<(String, String)>,
) -> Result<Json<Command>, Problem> {
    let (id, number): (DeviceId, CommandId) = (parse(&id)?, parse(&command)?);
    let state = api.find_command(id, number)?;
    let directory = api.engine.directory();
    let path = format!("POST /api/v1/devices/{id}/commands/{number}/second");
    if let Some(patient) = patient_of(state.command.on) {
        let found = patient_resource(&directory, patient)?;
        let care_unit = found.care_unit.or(caller.resource.care_unit);
        let resource = Resource { care_unit, ..found };
        api.permit_also(&caller, Action::SecondCommand, resource, path).await?;
    }
    api.ask(&caller, Wish::SecondCommand(number)).await?;
    api.carry_out();
    let state = api.find_command(id, number)?;
    Ok(Json(api.show_command(&caller, &state)))
}

async fn withdraw(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named((id, command)): Named<(String, String)>,
) -> Result<Json<Command>, Problem> {
    let (id, number): (DeviceId, CommandId) = (parse(&id)?, parse(&command)?);
    api.find_command(id, number)?;
    api.ask(&caller, Wish::WithdrawCommand(number)).await?;
    let state = api.find_command(id, number)?;
    Ok(Json(api.show_command(&caller, &state)))
}

async fn configuration(
    State(api): State<Arc<Api>>,
    _caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Configuration>, Problem> {
    api.show_configuration(parse(&id)?).await.map(Json)
}

impl Api {
    async fn show_configuration(&self, id: DeviceId) -> Result<Configuration, Problem> {
        let reports = self.engine.device_reports(vec![id]).await.unwrap_or_default();
        let directory = self.engine.directory();
        let device = directory.devices.get(&id);
        let profile = device.and_then(|device| self.profiles.get(&device.profile));
        Ok(Configuration::of(id, profile, reports.first(), &directory))
    }
}

async fn configure(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Named(id): Named<String>,
    Given(given): Given<SetConfiguration>,
) -> Result<Json<Configuration>, Problem> {
    let id: DeviceId = parse(&id)?;
    let json = serde_json::to_string(&given.config).map_err(Problem::fault)?;
    let config = DesiredConfig { device: id, version: given.version, json };
    api.ask(&caller, Wish::Configure(config)).await?;
    api.carry_out();
    api.show_configuration(id).await.map(Json)
}
