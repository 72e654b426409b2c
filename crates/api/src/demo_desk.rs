//! Where screens of the demo ask for something to happen in the virtual hospital behind it.
//!
//! The program that runs the hospital takes the orders; a real hospital has no such desk.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

/// Orders that wait.
const ORDERS_MAX: usize = 16;

/// An order, and where its answer goes: nothing, or what is wrong with it.
pub type DemoOrder = (Value, oneshot::Sender<Result<(), String>>);

/// The desk: screens put orders on one side, the virtual hospital takes them from the other.
#[derive(Clone, Debug)]
pub struct DemoDesk(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    orders: mpsc::Sender<DemoOrder>,
    taken_from: Mutex<Option<mpsc::Receiver<DemoOrder>>>,
    catalogue: Mutex<Option<Value>>,
}

impl Default for DemoDesk {
    fn default() -> Self {
        let (orders, taken_from) = mpsc::channel(ORDERS_MAX);
        let (taken_from, catalogue) = (Mutex::new(Some(taken_from)), Mutex::new(None));
        Self(Arc::new(Desk { orders, taken_from, catalogue }))
    }
}

impl DemoDesk {
    /// The orders that come in, for the first who asks; a second one gets none.
    pub fn orders(&self) -> mpsc::Receiver<DemoOrder> {
        let taken = self.0.taken_from.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Says what may be ordered.
    pub fn describe(&self, catalogue: &Value) {
        *self.0.catalogue.lock().unwrap_or_else(PoisonError::into_inner) = Some(catalogue.clone());
    }

    /// What may be ordered; `None` while nobody takes orders.
    pub(crate) fn catalogue(&self) -> Option<Value> {
        self.0.catalogue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives an order and waits for its answer; `None` if nobody takes orders.
    pub(crate) async fn ask(&self, order: Value) -> Option<Result<(), String>> {
        self.catalogue()?;
        let (answer, answered) = oneshot::channel();
        self.0.orders.send((order, answer)).await.ok()?;
        answered.await.ok()
    }
}
