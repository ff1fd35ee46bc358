//! Names that other systems use for our fields: accepted at the doors, never written.

/// The name that this system uses for a field, whichever name a sender used.
pub fn canonical_name(name: &str) -> &str {
    match name {
        "pid" | "network" => "media_source",
        "c" | "af_c" => "campaign",
        "cid" | "af_c_id" => "campaign_id",
        "af_siteid" => "site_id",
        "af_sub_siteid" => "sub_site_id",
        "af_adset" => "adset",
        "af_adset_id" => "adset_id",
        "af_ad" => "ad",
        "af_ad_id" => "ad_id",
        "af_channel" => "channel",
        "af_keywords" => "keywords",
        "af_prt" => "partner",
        "af_sub1" => "sub1",
        "af_sub2" => "sub2",
        "af_sub3" => "sub3",
        "af_sub4" => "sub4",
        "af_sub5" => "sub5",
        "clickid" | "af_click_id" => "click_id",
        "event_revenue" => "revenue",
        "event_revenue_currency" => "currency",
        own => own,
    }
}
