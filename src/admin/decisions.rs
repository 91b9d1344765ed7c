//! `POST /desk/ITEM/VERB` and `POST /desk/all/VERB`: operators' decisions about in-doubt money.
//!
//! Contract: as `docs/operating.md` says. A decision that makes no sense now is 409 (404 where
//! nothing is open) and names the state and what is allowed; of many items each is decided or left
//! alone by itself, a bounded number per request. The answer comes when the records are durable.

use super::operators::{OperatorDoor, Question};
use super::wording::{Answer, body_of, operator, plain_text, put, told, unknown_bank};
use crate::limits::ADMIN_BODY_MAX;
use crate::switch::desk::{ItemState, Refusal};
use crate::switch::ids::RecordNo;
use crate::switch::input::{DeskAction, DeskSweep, DeskVerb};
use crate::switch::record::Cause;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde_json::json;

/// The verbs there are.
const VERBS: &str = "resend, reverse, did, did-not, give-up";

/// What a decision says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    operator: String,
    #[serde(default)]
    reason: String,
}

/// What a decision about many items says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sweep {
    operator: String,
    #[serde(default)]
    reason: String,
    bank: String,
    platform: Option<String>,
    cause: String,
    #[serde(default)]
    after: u64,
}

/// The routes of decisions.
pub(super) fn routes(door: OperatorDoor) -> Router {
    Router::new()
        .route("/desk/all/{verb}", post(decide_all))
        .route("/desk/{item}/{verb}", post(decide))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_MAX))
        .with_state(door)
}

async fn decide(
    State(door): State<OperatorDoor>,
    Path((item, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let question = |action: &DeskAction, answer| Question::Decide(action.clone(), answer);
    let said = || action_of(&item, &verb, &body);
    let (action, decided) = put(&door, &headers, said, question).await?;
    match decided {
        Ok(decided) => {
            let verb = action.verb.word();
            let done = json!({ "item": decided.item.0, "decided": verb, "record": decided.no.0 });
            Ok(told(StatusCode::OK, &done))
        }
        Err(refusal) => Ok(refused(&refusal)),
    }
}

async fn decide_all(
    State(door): State<OperatorDoor>,
    Path(verb): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let question = |sweep: &DeskSweep, answer| Question::Sweep(sweep.clone(), answer);
    let (sweep, swept) = put(&door, &headers, || sweep_of(&verb, &body), question).await?;
    match swept {
        Ok(swept) => {
            let done = json!({
                "bank": sweep.bank.as_str(), "cause": sweep.cause.word(),
                "verb": sweep.verb.word(), "decided": swept.decided, "refused": swept.refused,
                "next_after": swept.next_after.map(|no| no.0), "record": swept.no.0,
            });
            Ok(told(StatusCode::OK, &done))
        }
        Err(known) => Ok(unknown_bank(sweep.bank.as_str(), known.into_iter())),
    }
}

fn action_of(item: &str, verb: &str, body: &[u8]) -> Result<DeskAction, String> {
    let item =
        item.parse().map(RecordNo).map_err(|_| format!("item: expected a number, got {item:?}"))?;
    let decision: Decision = body_of("{\"operator\": …, \"reason\": …}", body)?;
    let verb = verb_of(verb, decision.reason.trim())?;
    let operator = operator(&decision.operator)?;
    Ok(DeskAction { item, operator, verb })
}

fn sweep_of(verb: &str, body: &[u8]) -> Result<DeskSweep, String> {
    let shape = "{\"operator\": …, \"reason\": …, \"bank\": …, \"cause\": …, \"after\": …}";
    let said: Sweep = body_of(shape, body)?;
    let verb = verb_of(verb, said.reason.trim())?;
    let bank = said.bank.parse().map_err(|_| "bank: expected a bank's name".to_owned())?;
    let words = || Cause::words().collect::<Vec<_>>().join(", ");
    let cause =
        Cause::named(&said.cause).ok_or_else(|| format!("cause: there are: {}", words()))?;
    let platform = said.platform.as_deref().map(str::parse).transpose();
    let platform = platform.map_err(|_| "platform: expected a platform's name".to_owned())?;
    let (after, operator) = (RecordNo(said.after), operator(&said.operator)?);
    Ok(DeskSweep { bank, platform, cause, after, operator, verb })
}

fn verb_of(word: &str, reason: &str) -> Result<DeskVerb, String> {
    let verb: fn(crate::text::Text<64>) -> DeskVerb = match word {
        "resend" if reason.is_empty() => return Ok(DeskVerb::Resend),
        "resend" => return Err("a resend takes no reason".to_owned()),
        "reverse" => DeskVerb::Reverse,
        "did" => DeskVerb::Did,
        "did-not" => DeskVerb::DidNot,
        "give-up" => DeskVerb::GiveUp,
        _ => return Err(format!("verb: there are: {VERBS}")),
    };
    Ok(verb(plain_text("reason", reason)?))
}

fn refused(refusal: &Refusal) -> Response {
    let gone = refusal.state == ItemState::Nothing;
    let status = if gone { StatusCode::NOT_FOUND } else { StatusCode::CONFLICT };
    let body = json!({
        "error": refusal.why,
        "item": refusal.item.0,
        "state": refusal.state.word(),
        "next": refusal.state.next(),
        "allowed": refusal.allowed.words().collect::<Vec<_>>(),
    });
    told(status, &body)
}
