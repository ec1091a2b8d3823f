//! Every order of the steps of both sides, and threads that really race.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;

const fn is_send_and_sync<T: Send + Sync>() {}
const _: () = is_send_and_sync::<(Answer<std::cell::Cell<i32>>, Reply<std::cell::Cell<i32>>)>();

/// Counts wake-ups.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Of the receiver.
    Poll,
    PollByOther,
    DropAnswer,
    /// Of the sender.
    Hook,
    Send,
    DropReply,
}

/// What a sequence of steps should have led to.
#[derive(Debug, Default)]
struct Model {
    sent: bool,
    reply_gone: bool,
    answer_gone: bool,
    received: bool,
    has_hook: bool,
    hooked: usize,
    /// The waker that the next end of the waiting wakes.
    waits: Option<usize>,
    woken: [usize; 2],
}

impl Model {
    fn is_waiting(&self) -> bool {
        !self.sent && !self.reply_gone && !self.answer_gone
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waits.take() {
            self.woken[waker] += 1;
        }
    }
}

/// Makes the steps, and compares each result with the model's.
fn check_steps(steps: &[Step]) {
    let (reply, answer) = Answer::new();
    let (mut reply, mut answer) = (Some(reply), Some(answer));
    let wakers = [Arc::new(Woken::default()), Arc::new(Woken::default())];
    let hooked = Arc::new(AtomicUsize::new(0));
    let value = Arc::new(());
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Poll | Step::PollByOther => {
                let Some(answer) = &mut answer else { return };
                let by = usize::from(*step == Step::PollByOther);
                let waker = Waker::from(Arc::clone(&wakers[by]));
                let polled = Pin::new(answer).poll(&mut Context::from_waker(&waker));
                let expected = match (model.sent && !model.received, model.is_waiting()) {
                    (true, _) => Poll::Ready(Ok(())),
                    (_, true) => Poll::Pending,
                    _ => Poll::Ready(Err(Gone)),
                };
                model.received |= model.sent;
                model.waits = expected.is_pending().then_some(by);
                assert_eq!(polled.map_ok(drop), expected, "{steps:?}");
            }
            Step::DropAnswer => {
                let Some(answer) = answer.take() else { return };
                drop(answer);
                model.hooked += usize::from(model.is_waiting() && model.has_hook);
                model.answer_gone = true;
                model.waits = None;
            }
            Step::Hook => {
                let Some(reply) = &reply else { return };
                let hooked = Arc::clone(&hooked);
                reply.on_drop(move || {
                    hooked.fetch_add(1, SeqCst);
                });
                model.hooked += usize::from(model.answer_gone);
                model.has_hook = true;
            }
            Step::Send => {
                let Some(reply) = reply.take() else { return };
                assert_eq!(reply.is_wanted(), model.is_waiting());
                let sent = reply.send(Arc::clone(&value));
                assert_eq!(sent.is_ok(), model.is_waiting(), "{steps:?}");
                model.sent = sent.is_ok();
                model.reply_gone = true;
                model.wake();
            }
            Step::DropReply => {
                let Some(reply) = reply.take() else { return };
                drop(reply);
                model.reply_gone = true;
                model.wake();
            }
        }
        let woken = [0, 1].map(|by: usize| wakers[by].0.load(SeqCst));
        assert_eq!(woken, model.woken, "{steps:?}");
        assert_eq!(hooked.load(SeqCst), model.hooked, "{steps:?}");
        let kept = model.sent && !model.received && !model.answer_gone;
        assert_eq!(Arc::strong_count(&value), 1 + usize::from(kept), "{steps:?}");
    }
    drop((reply, answer));
    let held = wakers.iter().map(Arc::strong_count).chain([Arc::strong_count(&hooked)]);
    assert!(held.into_iter().all(|count| count == 1), "a waker or the hook is left: {steps:?}");
}

#[test]
fn every_order_of_up_to_six_steps_gives_what_the_model_says() {
    const ALL: [Step; 6] =
        [Step::Poll, Step::PollByOther, Step::DropAnswer, Step::Hook, Step::Send, Step::DropReply];
    for number in 0..ALL.len().pow(6) {
        let mut rest = number;
        let steps = [(); 6].map(|()| {
            let step = ALL[rest % ALL.len()];
            rest /= ALL.len();
            step
        });
        check_steps(&steps);
    }
}

#[test]
fn a_thread_that_waits_gets_the_value_and_the_end_of_the_sender() {
    let (reply, answer) = Answer::new();
    let waits = thread::spawn(move || answer.wait());
    assert_eq!(reply.send(5), Ok(()));
    assert_eq!(waits.join().unwrap(), Ok(5));
    let (reply, answer) = Answer::<i32>::new();
    let waits = thread::spawn(move || answer.wait());
    drop(reply);
    assert_eq!(waits.join().unwrap(), Err(Gone));
}

#[test]
fn a_wake_up_that_is_for_somebody_else_does_not_end_the_wait() {
    let (reply, answer) = Answer::new();
    let this = thread::current();
    let other = thread::spawn(move || {
        this.unpark();
        reply.on_drop(|| panic!("the receiver waits"));
        this.unpark();
        reply.send(1)
    });
    assert_eq!(answer.wait(), Ok(1));
    assert_eq!(other.join().unwrap(), Ok(()));
}

#[test]
fn foreign_code_may_use_the_slot() {
    /// Answers and looks when it is cloned, woken or dropped.
    struct Uses(Mutex<Option<Reply<Self>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            if let Some(reply) = self.0.lock().unwrap().take() {
                reply.send(Self(Mutex::new(None))).ok();
            }
        }
    }
    // The value that is refused answers its own slot in its drop.
    let (reply, answer) = Answer::new();
    let (other, unheard) = Answer::new();
    drop(unheard);
    let refused = other.send(Uses(Mutex::new(Some(reply))));
    drop(refused);
    assert!(answer.wait().is_ok());
    // The hook drops the sender of the slot whose drop calls it.
    let (reply, answer) = Answer::<i32>::new();
    let reply = Arc::new(reply);
    let owned = Arc::clone(&reply);
    reply.on_drop(move || assert!(!owned.is_wanted()));
    drop(answer);
    assert_eq!(Arc::strong_count(&reply), 1);
}

#[test]
fn threads_that_race_lose_nothing() {
    for round in 0..2000_u32 {
        let (reply, answer) = Answer::new();
        let dropped = Arc::new(AtomicUsize::new(0));
        let hook = Arc::clone(&dropped);
        let sender = thread::spawn(move || {
            reply.on_drop(move || {
                hook.fetch_add(1, SeqCst);
            });
            (round % 4 != 0).then(|| reply.send(round))
        });
        match round % 3 {
            0 => {
                drop(answer);
                // Either the sender was faster, or the hook was called.
                if let Some(sent) = sender.join().unwrap() {
                    assert_eq!(dropped.load(SeqCst), usize::from(sent.is_err()), "{round}");
                }
            }
            _ => {
                let expected = if round % 4 == 0 { Err(Gone) } else { Ok(round) };
                assert_eq!(answer.wait(), expected);
                sender.join().unwrap();
                assert_eq!(dropped.load(SeqCst), 0);
            }
        }
    }
}
