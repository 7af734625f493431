//! What stands in a client's snapshot for its queries.

use crate::json_out::{push, push_string};

/// Appends what stands under the name of a query: the query as it was asked, with the values of its variables in JSON, and its
/// result or why there is none.
pub fn push_answered(
    out: &mut Vec<u8>,
    query: &str,
    variables: Option<&str>,
    outcome: Result<&[u8], &str>,
) {
    push(out, "{\"query\":");
    push_string(out, query);
    if let Some(variables) = variables {
        push(out, ",\"variables\":");
        push(out, variables);
    }
    match outcome {
        Ok(result) => {
            push(out, ",\"result\":");
            out.extend_from_slice(result);
        }
        Err(why) => {
            push(out, ",\"error\":");
            push_string(out, why);
        }
    }
    out.push(b'}');
}

/// Appends what stands under the name of a query that is not answered, and not even repeated.
pub fn push_refused(out: &mut Vec<u8>, why: &str) {
    push(out, "{\"error\":");
    push_string(out, why);
    out.push(b'}');
}
