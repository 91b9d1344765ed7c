//! What one transaction costs the core alone: no gate, no disk, no codec.
//!
//! Contract: an ignored test, because a figure from a shared machine proves nothing; run it with
//! `cargo test --release --test flows -- --ignored --nocapture` beside another build of itself.

use super::stage::{Options, policy, read};
use pointsman::canonical::{Answer, Canonical};
use pointsman::meaning::ResponseClass;
use pointsman::switch::Switch;
use pointsman::switch::ids::{LineId, SessionId};
use pointsman::switch::input::Input;
use pointsman::switch::output::{Output, Send};
use pointsman::text::Text;
use pointsman::time::{Instant, Now, Wall};
use std::sync::Arc;

/// In flight at once.
const WINDOW: usize = 100;

fn released(switch: &mut Switch, now: Now) -> Vec<Send> {
    let mut sent = vec![];
    while let Some(output) = switch.poll() {
        if let Output::Send(send) = output {
            sent.push(send);
        }
    }
    for send in &sent {
        switch.handle(now, Input::Released { id: send.id });
    }
    while switch.poll().is_some() {}
    sent
}

/// Nanoseconds per approved purchase, the harness's own copies of messages included.
pub(crate) fn nanos_per_purchase(rounds: u32) -> u64 {
    let policy = Arc::new(policy(&Options("window=4096")));
    let mut switch = Switch::new(policy, 1);
    let at = |step: u64| Now {
        mono: Instant::from_nanos(step * 1_000),
        wall: Wall::from_millis(1_795_305_600_000 + (step / 1_000) as i64),
    };
    switch.start(at(0));
    for (line, session) in [(0, 1), (1, 2)] {
        switch.handle(at(0), Input::LineUp { line: LineId(line), session: SessionId(session) });
    }
    released(&mut switch, at(0));
    let template = read("0200", &["stan=1", "amt=100"]).unwrap_or_else(|e| panic!("{e}"));
    let code: Text<4> = "00".parse().unwrap_or_default();
    let (mut step, mut spent) = (0_u64, std::time::Duration::ZERO);
    for round in 0..rounds {
        let requests: Vec<Box<Canonical>> = (0..WINDOW)
            .map(|i| {
                let mut msg = Box::new(template.clone());
                msg.stan = Some(1 + (round as usize * WINDOW + i) as u32 % 999_999);
                msg
            })
            .collect();
        let begin = std::time::Instant::now();
        for msg in requests {
            step += 1;
            let (session, received) = (SessionId(1), at(step).mono);
            switch.handle(at(step), Input::Message { session, received, msg });
        }
        let sent = released(&mut switch, at(step));
        assert_eq!(sent.len(), WINDOW);
        for send in sent {
            step += 1;
            let mut msg = send.msg;
            msg.flow = msg.flow.answer().unwrap_or(msg.flow);
            msg.answer = Some(Answer::Given { class: ResponseClass::Approved, code });
            let (session, received) = (SessionId(2), at(step).mono);
            switch.handle(at(step), Input::Message { session, received, msg });
        }
        assert_eq!(released(&mut switch, at(step)).len(), WINDOW);
        spent += begin.elapsed();
    }
    spent.as_nanos() as u64 / (u64::from(rounds) * WINDOW as u64)
}
