//! The one table of routes. A row says who may use it, before it says who answers:
//! the router, the guard and the OpenAPI document are all made from these rows.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use security::Action;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type},
    },
};

use crate::{Api, guard};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody, for this reason.
    Public(&'static str),
    /// Whoever is signed in, about themselves.
    SignedIn,
    /// Whom the policy permits this action on this thing.
    Permitted(Action, Scope),
}

/// What a permitted action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The caller's organization as a whole.
    Org,
    /// The care unit that the query names, else the organization.
    CareUnitOfQuery,
    /// The care unit `{id}` of the path.
    CareUnit,
    /// The charge post of the care unit `{id}` of the path.
    ChargePost,
    /// The patient `{id}` of the path.
    Patient,
    /// The bed `{id}` of the path.
    Bed,
    /// The room `{id}` of the path.
    Room,
    /// The site `{id}` of the path.
    Site,
    /// The alarm `{id}` of the path.
    Alarm,
    /// The device `{id}` of the path.
    Device,
    /// The hand-over `{id}` of the path.
    HandOver,
    /// The access in an emergency `{id}` of the path.
    Emergency,
    /// The patient whose login the caller's is.
    Own,
}

/// One row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Below `/api/v1`.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) summary: &'static str,
    pub(crate) takes: Option<Shape>,
    pub(crate) answers: Option<Shape>,
    pub(crate) status: u16,
    /// Query parameters by name, with what they mean.
    pub(crate) query: Vec<(&'static str, &'static str)>,
    answer: MethodRouter<Arc<Api>>,
}

/// A body's schema and those that it refers to.
pub(crate) struct Shape {
    pub(crate) schema: RefOr<Schema>,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        let mut schemas = Vec::new();
        T::schemas(&mut schemas);
        schemas.push((T::name().into_owned(), T::schema()));
        let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(T::name()));
        Self { schema, schemas }
    }
}

impl Shape {
    /// A page of a list.
    fn page_of<T: ToSchema>() -> Self {
        let Self { schema, schemas } = Self::of::<T>();
        let text =
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        let next = text.description(Some("The `cursor` of the following page; null at the end"));
        let page = ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(schema))
            .required("items")
            .property("next", next)
            .required("next");
        Self { schema: RefOr::T(Schema::Object(page.build())), schemas }
    }
}

impl Route {
    pub(crate) fn new<H, T>(
        method: Method,
        path: &'static str,
        access: Access,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<Api>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let answer = on(filter, handler);
        let (takes, answers, status, query) = (None, None, 200, Vec::new());
        Self { method, path, access, summary, takes, answers, status, query, answer }
    }

    /// The body that it reads.
    pub(crate) fn takes<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.takes = Some(Shape::of::<T>());
        self
    }

    /// The body that it answers with.
    pub(crate) fn answers<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.answers = Some(Shape::of::<T>());
        self
    }

    /// The list that it answers with, page by page.
    pub(crate) fn lists<T: ToSchema + PartialSchema>(mut self) -> Self {
        self.answers = Some(Shape::page_of::<T>());
        self.query("cursor", "`next` of the page before")
            .query("limit", "Items on a page, 1 to 200")
    }

    /// The status of a good answer, if it is not 200.
    pub(crate) const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The longest body that it reads, if it is not that of all others.
    pub(crate) fn body_len_max(mut self, bytes: usize) -> Self {
        self.answer = self.answer.layer(DefaultBodyLimit::max(bytes));
        self
    }

    /// A parameter of the query.
    pub(crate) fn query(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.query.push((name, meaning));
        self
    }
}

/// Where the routes of the table begin.
pub(crate) const BASE: &str = "/api/v1";

/// Every route below [`BASE`], from one place.
pub(crate) fn table() -> Vec<Route> {
    use crate::rest::{
        alarms, audit, corrections, demo, devices, doses, emergency, hand_over, history, holds,
        imports, letters, own, past, patients, people, places, places_now, posts, refusals, scores,
        session, settings, share, system, timeline, trail,
    };
    [
        session::routes(),
        places::routes(),
        places_now::routes(),
        settings::routes(),
        hand_over::routes(),
        emergency::routes(),
        doses::routes(),
        own::routes(),
        share::routes(),
        patients::routes(),
        past::routes(),
        scores::routes(),
        history::routes(),
        timeline::routes(),
        posts::routes(),
        alarms::routes(),
        demo::routes(),
        devices::routes(),
        refusals::routes(),
        letters::routes(),
        people::routes(),
        audit::routes(),
        trail::routes(),
        system::routes(),
        corrections::routes(),
        holds::routes(),
        imports::routes(),
        crate::ws::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router of the table: each row stands behind the guard, and there is no other way in.
///
/// The paths are whole and not nested, as the audit names them whole.
pub(crate) fn router(api: &Arc<Api>) -> Router<Arc<Api>> {
    table().into_iter().fold(Router::new(), |router, route| {
        let gate = guard::Gate { api: Arc::clone(api), access: route.access, method: route.method };
        let answer = route.answer.route_layer(middleware::from_fn_with_state(gate, guard::admit));
        router.route(&format!("{BASE}{}", route.path), answer)
    })
}
