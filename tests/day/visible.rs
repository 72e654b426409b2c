//! What people see of a server, without what may differ between two of them: ids of
//! alarms, which name a place in the journal, and cursors.

use engine::{
    AlarmScope,
    view::{Alarm, AlarmEnd, Board, Cursor, Numeric, PatientPage},
};
use model::{AlarmId, Timestamp};
use store::{AlarmFilter, Records};

use crate::{
    node::Node,
    stage::{self, CARE_UNIT, ORG, START, id, patient},
};

/// Everything that screens show.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    board: Board,
    pages: Vec<PatientPage>,
    alarms: Vec<Alarm>,
}

/// Every alarm of the day from its beginning to its end, in a fixed order.
pub(crate) type Lives = Vec<Life>;

/// One alarm of the day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) raised_at: Timestamp,
    pub(crate) code: String,
    pub(crate) about: String,
    pub(crate) title: String,
    pub(crate) class: String,
    pub(crate) priority: String,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) ending: Option<String>,
    pub(crate) steps: Vec<(Timestamp, String, String, String)>,
}

impl Life {
    /// Seconds of the day at which it was raised.
    pub(crate) fn second(&self) -> u64 {
        self.raised_at.since(START).as_secs()
    }
}

fn nobody() -> AlarmId {
    id(0)
}

/// What screens show now.
pub(crate) async fn view_of(node: &Node) -> View {
    let mut board = node.engine.board(id(CARE_UNIT)).await.unwrap();
    board.cursor = Cursor::default();
    plain_all(&mut board.alarms);
    for bed in &mut board.beds {
        plain_all(&mut bed.alarms);
        bed.numerics.iter_mut().for_each(plain);
    }
    let mut pages = Vec::new();
    for bed in 0..stage::ward().patients.len() {
        let mut page = node.engine.patient_page(patient(bed)).await.unwrap();
        page.cursor = Cursor::default();
        plain_all(&mut page.alarms);
        page.numerics.iter_mut().for_each(plain);
        pages.push(page);
    }
    let mut alarms = node.engine.alarms(AlarmScope::Org(id(ORG))).await.unwrap();
    plain_all(&mut alarms);
    View { board, pages, alarms }
}

fn plain(numeric: &mut Numeric) {
    numeric.alarm = numeric.alarm.map(|_| nobody());
}

/// Alarms of one instant and urgency stand in the order of their ids, which may differ.
fn plain_all(alarms: &mut [Alarm]) {
    for alarm in alarms.iter_mut() {
        alarm.id = nobody();
        if let Some(AlarmEnd::Superseded(by)) = &mut alarm.end {
            *by = nobody();
        }
    }
    alarms.sort_by_cached_key(|alarm| format!("{alarm:?}"));
}

/// Every alarm of the records.
pub(crate) fn lives_of(records: &Records) -> Lives {
    let all = records.alarms(id(ORG), &AlarmFilter::default(), 1_000_000).unwrap();
    let life = |row: store::AlarmRow| {
        let steps = records.alarm_life(id(ORG), row.id).unwrap();
        Life {
            raised_at: row.raised_at,
            code: row.code,
            about: format!("{:?} {:?}", row.patient, row.device),
            title: row.title,
            class: format!("{:?}", row.class),
            priority: format!("{:?}", row.priority),
            ended_at: row.ended_at,
            ending: row.ending,
            steps: steps
                .into_iter()
                .map(|it| (it.at, it.what, it.detail, format!("{:?}", it.by)))
                .collect(),
        }
    };
    let mut lives: Lives = all.into_iter().map(life).collect();
    lives.sort();
    lives
}
