//! An answer being written.

use super::Response;
use super::cursor::Cursor;
use super::problem::Problem;
use crate::store::StoreChange;

/// An answer being written.
pub(super) struct Answer<'a, 'b, 'r> {
    pub(super) body: Cursor<'b>,
    /// The change that the request asks for; borrowed, because it is too large to be moved.
    pub(super) change: &'a mut Option<StoreChange<'r>>,
    status: u16,
    content_type: Option<&'static str>,
    allow: Option<&'static str>,
}

/// The answer is a refusal, and is written already. So a problem is told where it arises, and not
/// handed up through every call.
pub(super) struct Refused;

const JSON: Option<&str> = Some("application/json");

impl<'a, 'b, 'r> Answer<'a, 'b, 'r> {
    pub(super) fn new(buffer: &'b mut [u8], change: &'a mut Option<StoreChange<'r>>) -> Self {
        let body = Cursor::new(buffer);
        Self { body, change, status: 200, content_type: JSON, allow: None }
    }

    /// Makes the answer a refusal.
    #[inline(never)]
    pub(super) fn refuse(&mut self, problem: Problem<'_>) -> Refused {
        self.body.truncate(0);
        problem.write(&mut self.body);
        self.status = problem.status();
        self.content_type = JSON;
        self.allow = problem.allow();
        // A report of a removed device still moves the last run.
        if !matches!(problem, Problem::Removed(_)) {
            *self.change = None;
        }
        Refused
    }

    /// True, or the answer is a refusal.
    pub(super) fn require(&mut self, is_right: bool, problem: Problem<'_>) -> Result<(), Refused> {
        if is_right { Ok(()) } else { Err(self.refuse(problem)) }
    }

    /// What was found, or the answer is a refusal.
    pub(super) fn found<T>(
        &mut self,
        found: Option<T>,
        problem: Problem<'_>,
    ) -> Result<T, Refused> {
        found.ok_or_else(|| self.refuse(problem))
    }

    /// The answer has this status, and all of it fits.
    pub(super) fn done(&mut self, status: u16) -> Result<(), Refused> {
        self.status = status;
        self.fits()
    }

    /// The body is a text.
    pub(super) const fn is_text(&mut self) {
        self.content_type = Some("text/plain");
    }

    /// All of the body fits.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(super) fn fits(&mut self) -> Result<(), Refused> {
        match self.body.check() {
            Ok(()) => Ok(()),
            Err(_) => Err(self.refuse(Problem::AnswerTooLong)),
        }
    }

    /// What to send.
    pub(super) fn response(self) -> Response<'b> {
        let Self { body, status, content_type, allow, .. } = self;
        // A buffer too short for the problem leaves the status alone to tell.
        let body = body.finish().unwrap_or_default();
        let content_type = content_type.filter(|_| !body.is_empty());
        Response { status, content_type, allow, body }
    }
}
