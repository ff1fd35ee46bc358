//! Who earned an install: a pure function of the install, the touches, what was decided before, and the rules.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};

use event::{Activity, AppId, Attribution, Contributor, EventId, ORGANIC, Status, Text, TouchType};
use hashbrown::HashSet;

use crate::matching::{Objection, Tie, Tier};
use crate::referrer::Referrer;
use crate::rules::Rules;
use crate::touch::{Origin, Touch};

/// What happened to this install and its device before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History<'a> {
    /// The decision on this very install, if it was made before.
    pub decided: Option<Attribution<'a>>,
}

/// What is decided on an install.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'a> {
    pub attribution: Attribution<'a>,
}

/// A touch that is tied to the install, and what decides its place.
struct Candidate<'t, 'a> {
    touch: &'t Touch<'a>,
    tie: Tie,
    objection: Option<Objection>,
}

const CONTRIBUTORS: usize = 3;

/// Decides who earned an install.
///
/// | the touches | the decision |
/// |---|---|
/// | at least one counts | `attributed` to the best of them, with up to three contributors |
/// | some are tied to the install, none counts | `organic`, with the reason why the best of them does not |
/// | none is tied to it | `organic` |
///
/// Their order does not matter, nor how often each is there. A decision that was made before stands.
pub fn decide<'a>(install: &Activity<'a>, touches: &[Touch<'a>], history: &History<'a>, rules: &Rules) -> Decision<'a> {
    if let Some(decided) = &history.decided {
        return Decision { attribution: decided.clone() };
    }
    let referrer = install.referrer.as_ref().map(|text| Referrer::parse(text.as_str())).unwrap_or_default();
    let untold = untold_click(install, &referrer, touches, rules);
    let mut candidates: Vec<_> =
        touches.iter().chain(&untold).filter_map(|touch| Candidate::new(install, &referrer, touch)).collect();
    candidates.sort_by(Candidate::best_first);
    let (counting, rejected): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|each| each.objection.is_none());
    let counting = once_each(counting);

    let attribution = match counting.split_first() {
        Some((winner, others)) => Attribution { contributors: contributors(others), ..earned(winner) },
        None => organic(rejected.first().and_then(|best| best.objection)),
    };
    let rules_version = Some(Text::from(Cow::Owned(rules.version().to_owned())));
    Decision {
        attribution: Attribution { version: 1, install_time: Some(install.event_time), rules_version, ..attribution },
    }
}

impl<'t, 'a> Candidate<'t, 'a> {
    fn new(install: &Activity<'a>, referrer: &Referrer, touch: &'t Touch<'a>) -> Option<Self> {
        let tie = Tie::between(install, referrer, touch)?;
        Some(Self { touch, tie, objection: Objection::to(install, touch) })
    }

    /// A total order: copies of one touch that differ at all are told apart by all that they say.
    fn best_first(&self, other: &Self) -> Ordering {
        let rank = |each: &Self| {
            let Touch { time, received_at, .. } = each.touch;
            (Tier::of(each.touch), Reverse(*time), each.tie, Reverse(*received_at))
        };
        let by_touch_id = || other.touch.touch_id.as_str().as_bytes().cmp(self.touch.touch_id.as_str().as_bytes());
        let by_everything = || format!("{:?}", self.touch).cmp(&format!("{:?}", other.touch));
        rank(self).cmp(&rank(other)).then_with(by_touch_id).then_with(by_everything)
    }
}

/// The click that only the referrer knows of: the store names its source, and no such click is stored.
fn untold_click<'a>(
    install: &Activity<'a>,
    referrer: &Referrer,
    touches: &[Touch<'a>],
    rules: &Rules,
) -> Option<Touch<'a>> {
    let media_source = referrer.media_source.clone()?;
    let is_named = |touch: &Touch<'_>| Tie::between(install, referrer, touch) == Some(Tie::Referrer);
    if touches.iter().any(is_named) {
        return None;
    }
    let time = install.referrer_click_time.unwrap_or(install.event_time);
    let name = install.event_id.as_str();
    Some(Touch {
        app_id: AppId::from(Cow::Owned(install.app_id.as_str().to_owned())),
        touch_type: TouchType::Click,
        event_id: EventId::from(Cow::Owned(name.to_owned())),
        touch_id: referrer.touch_id.clone().unwrap_or_else(|| Text::from(Cow::Owned(name.to_owned()))),
        time,
        received_at: time,
        window: rules.window(TouchType::Click, None, install.app_id.as_str(), media_source.as_str()),
        platform: None,
        ids: Vec::new(),
        origin: Origin {
            media_source,
            campaign: referrer.campaign.clone(),
            click_id: referrer.click_id.clone(),
            ..Origin::default()
        },
        referrer_only: true,
    })
}

/// Keeps the best copy of each touch, in the order given. A touch is the same if it says so itself or if its event is.
fn once_each<'t, 'a>(candidates: Vec<Candidate<'t, 'a>>) -> Vec<Candidate<'t, 'a>> {
    let (mut touch_ids, mut event_ids) = (HashSet::new(), HashSet::new());
    let mut kept = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let (touch_id, event_id) = (candidate.touch.touch_id.as_str(), candidate.touch.event_id.as_str());
        if touch_ids.contains(touch_id) || event_ids.contains(event_id) {
            continue;
        }
        touch_ids.insert(touch_id);
        event_ids.insert(event_id);
        kept.push(candidate);
    }
    kept
}

fn earned<'a>(winner: &Candidate<'_, 'a>) -> Attribution<'a> {
    let (touch, origin) = (winner.touch, &winner.touch.origin);
    Attribution {
        status: Status::Attributed,
        media_source: Some(origin.media_source.clone()),
        campaign: origin.campaign.clone(),
        campaign_id: origin.campaign_id.clone(),
        adset: origin.adset.clone(),
        adset_id: origin.adset_id.clone(),
        ad: origin.ad.clone(),
        ad_id: origin.ad_id.clone(),
        channel: origin.channel.clone(),
        site_id: origin.site_id.clone(),
        click_id: origin.click_id.clone(),
        sub1: origin.sub1.clone(),
        sub2: origin.sub2.clone(),
        sub3: origin.sub3.clone(),
        sub4: origin.sub4.clone(),
        sub5: origin.sub5.clone(),
        params: origin.params.clone(),
        touch_type: Some(touch.touch_type),
        touch_id: Some(touch.touch_id.clone()),
        touch_time: Some(touch.time),
        match_type: Some(winner.tie.match_type()),
        reason: touch.referrer_only.then(|| Text::from(Cow::Borrowed("referrer_only"))),
        ..Attribution::default()
    }
}

fn organic<'a>(objection: Option<Objection>) -> Attribution<'a> {
    Attribution {
        status: Status::Organic,
        media_source: Some(Text::from(Cow::Borrowed(ORGANIC))),
        reason: objection.map(|objection| Text::from(Cow::Borrowed(objection.as_str()))),
        ..Attribution::default()
    }
}

/// The others that count, latest first.
fn contributors<'a>(others: &[Candidate<'_, 'a>]) -> Vec<Contributor<'a>> {
    let mut others: Vec<&Candidate<'_, 'a>> = others.iter().collect();
    others.sort_by_key(|each| Reverse(each.touch.time));
    others.truncate(CONTRIBUTORS);
    let contributor = |each: &Candidate<'_, 'a>| Contributor {
        media_source: each.touch.origin.media_source.clone(),
        campaign: each.touch.origin.campaign.clone(),
        touch_type: each.touch.touch_type,
        touch_id: each.touch.touch_id.clone(),
        touch_time: each.touch.time,
        match_type: each.tie.match_type(),
    };
    others.into_iter().map(contributor).collect()
}
