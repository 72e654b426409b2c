//! The description of this interface (OpenAPI 3.1), made from the one table of routes.
//!
//! The committed copy is `docs/openapi.json`; a test compares, and `UPDATE=1` rewrites it.

use axum::http::Method;
use utoipa::{
    ToSchema as _,
    openapi::{
        Components, ContentBuilder, HttpMethod, Info, OpenApi, OpenApiBuilder, Paths, Ref, RefOr,
        Required, Schema,
        path::{OperationBuilder, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        response::ResponseBuilder,
        schema::{ObjectBuilder, Type},
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    dto::feed,
    problem::ProblemBody,
    routes::{Access, BASE, Route, table},
};

/// The name of the session's scheme in the document.
const SESSION: &str = "session";

/// The document as JSON text, with a line end.
pub fn document() -> Result<String, serde_json::Error> {
    build().to_pretty_json().map(|text| text + "\n")
}

fn build() -> OpenApi {
    let mut paths = Paths::new();
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    for route in table() {
        let method = match route.method {
            Method::POST => HttpMethod::Post,
            Method::PUT => HttpMethod::Put,
            Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        let path = format!("{BASE}{}", route.path);
        paths.add_path_operation(path, vec![method], operation(&route));
        let shapes = [route.takes, route.answers].into_iter().flatten();
        schemas.extend(shapes.flat_map(|shape| shape.schemas));
    }
    ProblemBody::schemas(&mut schemas);
    schemas
        .push((ProblemBody::name().into_owned(), <ProblemBody as utoipa::PartialSchema>::schema()));
    // What the feed says and hears has no route of its own.
    feed::FeedSays::schemas(&mut schemas);
    schemas.push((
        feed::FeedSays::name().into_owned(),
        <feed::FeedSays as utoipa::PartialSchema>::schema(),
    ));
    feed::PageSays::schemas(&mut schemas);
    schemas.push((
        feed::PageSays::name().into_owned(),
        <feed::PageSays as utoipa::PartialSchema>::schema(),
    ));
    let mut components = Components::new();
    components.schemas.extend(schemas);
    let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::guard::COOKIE));
    components.add_security_scheme(SESSION, SecurityScheme::ApiKey(cookie));
    let mut info = Info::new("Wardline", "1");
    info.description = Some(DESCRIPTION.to_owned());
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components)).build()
}

const DESCRIPTION: &str = "JSON with snake_case keys; ids are lower-case uuids, times RFC 3339 in UTC. \
    A refusal is an RFC 9457 problem. Changes need the header `x-wardline: 1`. \
    Lists come in pages: `next` of one is the `cursor` of the following. \
    Wardline is not a certified medical device.";

fn operation(route: &Route) -> OperationBuilder {
    let id: String = format!("{} {}", route.method, route.path)
        .to_lowercase()
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("_");
    let access = match route.access {
        Access::Public(why) => format!("For everybody: {why}."),
        Access::SignedIn => "For whoever is signed in, about themselves.".to_owned(),
        Access::Permitted(action, _) => format!("Needs `{}`.", action.word()),
    };
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(route.summary))
        .description(Some(access))
        .tag(route.path.split('/').nth(1).unwrap_or("api"));
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
        operation = operation.parameter(parameter(name, ParameterIn::Path, None));
    }
    for (name, meaning) in &route.query {
        operation = operation.parameter(parameter(name, ParameterIn::Query, Some(*meaning)));
    }
    if let Some(takes) = &route.takes {
        let content = ContentBuilder::new().schema(Some(takes.schema.clone())).build();
        let body = RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    let mut good = ResponseBuilder::new().description("Done");
    if let Some(answers) = &route.answers {
        let content = ContentBuilder::new().schema(Some(answers.schema.clone())).build();
        good = good.content("application/json", content);
    }
    let problem = Ref::from_schema_name(ProblemBody::name());
    let problem = ContentBuilder::new().schema(Some(RefOr::<Schema>::Ref(problem))).build();
    let refused = ResponseBuilder::new()
        .description("Refused, or a fault of the server")
        .content("application/problem+json", problem);
    operation = operation
        .response(route.status.to_string(), good.build())
        .response("default", refused.build());
    if !matches!(route.access, Access::Public(_)) {
        operation = operation.security(SecurityRequirement::new(SESSION, Vec::<String>::new()));
    }
    operation
}

fn parameter(name: &str, place: ParameterIn, meaning: Option<&str>) -> ParameterBuilder {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(meaning)
        .schema(Some(Schema::Object(text)))
}
