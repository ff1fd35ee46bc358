use rdkafka::Timestamp;

use super::*;

fn batch(payloads: &[&str]) -> Batch<'static> {
    let mut batch = Batch::new(Partition::new("numbers", 3), 1, Offset(0));
    for (offset, payload) in (0..).zip(payloads) {
        let bytes = Some(payload.as_bytes().to_vec());
        let stamp = Timestamp::CreateTime(offset);
        batch.push(Message::Owned(OwnedMessage::new(bytes, None, "numbers".into(), stamp, 3, offset, None)));
    }
    batch
}

fn numbers(batch: &mut Batch<'_>) -> Vec<i64> {
    batch.decode::<i64>().map(|record| record.value).collect()
}

fn refused(batch: &Batch<'_>) -> Vec<(i64, String)> {
    batch.refused().map(|(message, reject)| (message.offset().0, reject.code.clone())).collect()
}

#[test]
fn what_does_not_decode_is_refused_and_the_rest_goes_on() {
    let mut batch = batch(&["1", "x", "3", "\"four\""]);
    assert_eq!(numbers(&mut batch), [1, 3]);
    let expected = [(1, "json_syntax".to_owned()), (3, "json_type".to_owned())];
    assert_eq!(refused(&batch), expected);
    assert_eq!(numbers(&mut batch), [1, 3], "decoding again refuses nothing twice");
    assert_eq!(refused(&batch), expected);
    assert_eq!(batch.finish(()).next, Offset(4));
}

#[test]
fn the_record_that_makes_a_handler_panic_is_refused_and_the_batch_runs_again() {
    let mut batch = batch(&["1", "2", "x", "3"]);
    let mut sum_without_two = |batch: &mut Batch<'_>| {
        Ok(batch
            .decode::<i64>()
            .map(|record| if record.value == 2 { panic!("two") } else { record.value })
            .sum::<i64>())
    };
    assert_eq!(crate::stage::handle(&mut sum_without_two, &mut batch).unwrap(), 4);
    let mut refused = refused(&batch);
    refused.sort();
    assert_eq!(refused, [(1, "handler_panicked".to_owned()), (2, "json_syntax".to_owned())]);
}

#[test]
fn a_panic_outside_any_record_is_an_error_that_loses_nothing() {
    let mut batch = batch(&["1"]);
    let mut panics = |batch: &mut Batch<'_>| -> anyhow::Result<()> {
        numbers(batch);
        panic!("after the last record")
    };
    let error = crate::stage::handle(&mut panics, &mut batch).unwrap_err();
    assert!(matches!(error, Error::Transient(_)), "{error}");
    assert!(refused(&batch).is_empty());
}

#[test]
fn a_schema_registry_frame_is_skipped_and_the_letter_keeps_it() {
    let mut batch = batch(&["\0\0\0\0\u{1}7"]);
    assert_eq!(numbers(&mut batch), [7]);
    assert_eq!(batch.messages().next().unwrap().raw().unwrap().len(), 6);
}

#[test]
fn a_record_may_be_refused_for_what_no_field_can_tell() {
    let mut batch = batch(&["1", "2"]);
    numbers(&mut batch);
    batch.refuse(Offset(1), "too_even", "2 is even");
    assert_eq!(refused(&batch), [(1, "too_even".to_owned())]);
}

#[test]
fn a_part_knows_what_became_of_its_records() {
    let mut whole = batch(&["1", "x", "3", "4"]);
    numbers(&mut whole);
    whole.refuse(Offset(2), "too_odd", "3 is odd");
    whole.refuse(Offset(2), "too_small", "refused twice, and still one record");
    whole.repeated(1);
    let expected = Balance { taken: 4, refused: 2, repeated: 1, ..Balance::new(Offset(0)) };
    assert_eq!(whole.finish(()).balance, expected);

    let mut passed_over = batch(&["1", "x"]);
    numbers(&mut passed_over);
    passed_over.pass_over_refused();
    assert_eq!(refused(&passed_over), []);
    assert_eq!(passed_over.finish(()).balance, Balance { taken: 2, ..Balance::new(Offset(0)) });
}

#[test]
fn what_a_handler_dropped_before_it_panicked_is_not_counted_twice() {
    let mut batch = batch(&["1", "2", "3"]);
    let mut drops_all_but_two = |batch: &mut Batch<'_>| {
        batch.repeated(1);
        numbers(batch);
        batch.decode::<i64>().for_each(|record| assert_ne!(record.value, 2, "a bug"));
        Ok(())
    };
    crate::stage::handle(&mut drops_all_but_two, &mut batch).unwrap();
    assert_eq!(refused(&batch), [(1, "handler_panicked".to_owned())]);
    assert_eq!(batch.finish(()).balance.repeated, 1);
}
