//! What the importers refuse, and what small files become.

use super::{Imported, Remark, jpos, moov, settle};
use crate::limits::IMPORT_BYTES_MAX;

const HEAD: &str = "<isofield id='0' length='4' name='MTI' class='IFA_NUMERIC'/>\n\
                    <isofield id='1' length='16' name='map' class='IFB_BITMAP'/>\n";

fn packager(fields: &str) -> Result<Imported, Remark> {
    jpos("a.xml", format!("<isopackager>\n{HEAD}{fields}</isopackager>").as_bytes())
}

fn told(done: Result<Imported, Remark>) -> String {
    match done {
        Ok(imported) => format!("no error:\n{}", imported.text),
        Err(error) => error.to_string(),
    }
}

fn spec(fields: &str) -> Result<Imported, Remark> {
    let head = "\"0\":{\"type\":\"String\",\"length\":4,\"enc\":\"ASCII\",\
                \"prefix\":\"ASCII.Fixed\"},\
                \"1\":{\"type\":\"Bitmap\",\"enc\":\"Binary\",\"prefix\":\"Hex.Fixed\"}";
    moov("a.json", format!("{{\"name\":\"a\",\n\"fields\":{{{head}{fields}}}}}").as_bytes())
}

/// The line of a data element in the imported text.
fn line(done: Result<Imported, Remark>, number: &str) -> String {
    let text = told_text(done);
    let start = format!("{number} = ");
    text.lines().find(|l| l.starts_with(&start)).unwrap_or("no such line").to_owned()
}

fn told_text(done: Result<Imported, Remark>) -> String {
    done.map_or_else(|e| e.to_string(), |i| i.text)
}

#[test]
fn packagers_that_make_no_sense_are_errors_with_their_line() {
    let cases: [(&str, &str); 9] = [
        ("<isofield id='3' length='6' class='IFA_NUMERIC'>", "a.xml:4: is no XML"),
        (
            "<isofield id='3' length='6' class='IFA_NUMERIC'/>\n\
             <isofield id='3' length='6' class='IFA_NUMERIC'/>\n",
            "a.xml:5: field 3: is defined twice, first in line 4",
        ),
        ("<isofield id='193' length='6' class='IFA_NUMERIC'/>", "a.xml:4: field 193: "),
        ("<isofield id='-3' length='6' class='IFA_NUMERIC'/>", "a.xml:4: has id \"-3\""),
        ("<isofield length='6' class='IFA_NUMERIC'/>", "a.xml:4: has no id"),
        ("<isofield id='3' class='IFA_NUMERIC'/>", "a.xml:4: field 3: has no length"),
        ("<isofield id='3' length='six' class='IFA_NUMERIC'/>", "a.xml:4: field 3: has length"),
        ("<isofield id='3' length='6'/>", "a.xml:4: field 3: has no class"),
        (
            "<isofield id='3' length='6' pad='yes' class='IFA_NUMERIC'/>",
            "a.xml:4: field 3: has pad",
        ),
    ];
    for (fields, expected) in cases {
        let got = told(packager(fields));
        assert!(got.starts_with(expected), "{fields}: {got}");
    }
}

#[test]
fn files_that_are_no_packager_are_refused_whole() {
    let told = |text: &str| told(jpos("a.xml", text.as_bytes()));
    assert_eq!(told("<beans/>"), "a.xml:1: expected <isopackager>, got <beans>");
    assert!(told("{}").starts_with("a.xml:1: is no XML"));
    assert!(told("<isopackager/>").starts_with("a.xml:1: has no field 1"));
    let no_map = "<isopackager>\n<isofield id='1' length='8' class='IFA_NUMERIC'/></isopackager>";
    assert_eq!(
        told(no_map),
        "a.xml:2: field 1: is the bitmap, and its class IFA_NUMERIC is no bitmap's"
    );
    let bare = format!("<isopackager emitBitmap='false'>{HEAD}</isopackager>");
    assert!(told(&bare).contains("messages without a bitmap cannot be a dialect"));
    let entity = "<!DOCTYPE isopackager [\n<!ENTITY a 'aaaa'>\n<!ENTITY b '&a;&a;&a;&a;'>\n]>\n\
                  <isopackager name='&b;'/>";
    assert_eq!(told(entity), "a.xml:2: declares an entity: write out what it stands for");
    let deep = "<isopackager>".repeat(2_000);
    assert!(told(&deep).starts_with("a.xml:1: is no XML"));
    let long = vec![b' '; IMPORT_BYTES_MAX + 1];
    assert!(jpos("a.xml", &long).is_err_and(|e| e.to_string().contains("is longer than")));
}

#[test]
fn unusual_attributes_are_read_or_told() {
    let wide = "<isofield id='130' length='3' name='far' class='IFA_NUMERIC'/>";
    assert!(told(packager(wide)).contains("2 bitmap(s) cannot announce field 130"));
    let third = format!("<isofield id='65' length='8' name='3rd' class='IFB_BITMAP'/>{wide}");
    assert!(told_text(packager(&third)).contains("third_bitmap = \"field-65\""));
    let with = |attributes: &str| {
        told_text(jpos(
            "a.xml",
            format!("<isopackager {attributes}>{HEAD}</isopackager>").as_bytes(),
        ))
    };
    assert!(with("headerLength='12'").contains("[header]\nformat = \"b96\""));
    assert!(with("headerLength='a'").contains("has headerLength=\"a\""));
    assert!(with("thirdBitmapField='80'").contains("not at field 65"));
    assert!(with("firstField='3'").contains("# check: line 1: firstField=\"3\" is not imported"));
    let own = "<isofield id='3' length='6' name='a.b' class='com.acme.IFA_NUMERIC'/>";
    assert!(told_text(packager(own)).contains("com.acme.IFA_NUMERIC is not jPOS's own class"));
    let checked = "<isofield id='3' length='6' name='a' class='IFA_NUMERIC'/>\
                   <isofieldvalidator class='b'/>";
    assert!(told_text(packager(checked)).contains("validators are not imported"));
}

#[test]
fn a_data_element_that_cannot_be_expressed_is_a_comment_and_a_remark() {
    let fields = "<isofield id='3' length='6' name='ok' class='IFA_NUMERIC'/>\n\
                  <isofield id='48' length='9' name='x\n\"y\"' class='com.acme.Odd'/>\n\
                  <isofield id='50' length='99999' name='huge' class='IFB_BINARY'/>";
    let done = packager(fields);
    let remarks: Vec<String> =
        done.iter().flat_map(|i| &i.remarks).map(ToString::to_string).collect();
    assert!(
        remarks[0].starts_with("a.xml:5: field 48: class Odd is none of jPOS's"),
        "{remarks:?}"
    );
    assert!(remarks[1].starts_with("a.xml:7: field 50: (IFB_BINARY) has a length of 99999"));
    let text = told_text(done);
    assert!(text.contains("\n# 48 = { name = \"x \\\"y\\\"\" } left out\n"), "{text}");
    assert!(settle::compile(&text).is_ok());
}

#[test]
fn lengths_beyond_the_prefix_or_the_frame_are_cut_to_what_can_be() {
    let fields = "<isofield id='62' length='150' name='a' class='IFA_LLCHAR'/>\n\
                  <isofield id='127' length='999999' name='b' class='IFA_LLLLLLBINARY'/>";
    let text = told_text(packager(fields));
    assert!(
        text.contains("holds 150, but its length ends at 99: read as up to 99\n62 = "),
        "{text}"
    );
    assert!(text.contains("holds 999999, but a frame here ends at 9999"), "{text}");
    assert!(text.contains("127 = { name = \"b\", format = \"b......9999\" }"), "{text}");
}

#[test]
fn composites_that_cannot_be_expressed_stay_whole() {
    let field = |outer: &str, packager: &str, inner: &str| {
        let text = format!(
            "<isofieldpackager id='48' length='40' name='c' class='{outer}' packager='{packager}' \
             emitBitmap='false'>{inner}</isofieldpackager>"
        );
        told_text(super::tests::packager(&text))
    };
    let sub = |class: &str| format!("<isofield id='1' length='4' name='s' class='{class}'/>");
    let generic = "org.jpos.iso.packager.GenericSubFieldPackager";
    let text = field("IFA_LLLCHAR", generic, &sub("IFB_NUMERIC"));
    assert!(text.contains("48 = { name = \"c\", format = \"b...40\""), "{text}");
    let text = field("IFE_LLLCHAR", generic, &sub("IFE_NUMERIC"));
    assert!(text.contains("content is read as text, and not all subfields are text"), "{text}");
    let text = field("IFA_LLLCHAR", "com.acme.Packager", &sub("IFA_NUMERIC"));
    assert!(text.contains("its packager Packager is not known"), "{text}");
    let text =
        field("IFA_LLLCHAR", "org.jpos.iso.packager.EuroSubFieldPackager", &sub("IFEP_LLCHAR"));
    assert!(text.contains("has no tag and length"), "{text}");
    let text = field("IF_CHAR", generic, &sub("IFA_NUMERIC"));
    assert!(text.contains("its subfields make 4 bytes of 40"), "{text}");
}

#[test]
fn specifications_that_make_no_sense_are_errors_with_their_place() {
    let told_of = |text: &str| told(moov("a.json", text.as_bytes()));
    assert!(told_of("{\n\"fields\": [}").starts_with("a.json:2: is no specification in JSON"));
    assert!(told_of("[]").starts_with("a.json: expected an object"));
    assert_eq!(told_of("{\"name\":\"a\"}"), "a.json: has no \"fields\"");
    assert!(told_of(&"[".repeat(4_000)).starts_with("a.json:1: is no specification in JSON"));
    let ok = "{\"type\":\"String\",\"length\":3,\"enc\":\"ASCII\",\"prefix\":\"ASCII.Fixed\"}";
    let cases = [
        (
            format!(",\"3\":{ok},\n\"3\":{ok}"),
            "a.json:3: is no specification in JSON: \"3\" is given",
        ),
        (format!(",\"193\":{ok}"), "a.json:2: field 193: is no data element"),
        (format!(",\"03\":{ok}"), "a.json:2: field 03: is no data element"),
        (",\"3\":[]".to_owned(), "a.json:2: field 3: expected an object, got a list"),
        (",\"3\":{\"type\":\"String\",\"length\":1.5}".to_owned(), "a.json:2: field 3: length: "),
        (",\"3\":{\"length\":3}".to_owned(), "a.json:2: field 3: has no type"),
    ];
    for (fields, expected) in cases {
        let got = told(spec(&fields));
        assert!(got.starts_with(expected), "{fields}: {got}");
    }
    assert!(told_of("{\"fields\":{\"1\":{\"type\":\"Bitmap\"}}}").contains("has no field 0"));
}

#[test]
fn words_of_specifications_mean_what_they_put_on_the_wire() {
    let one = |kind: &str, length: usize, enc: &str, prefix: &str| {
        let field = format!(
            ",\"100\":{{\"type\":\"{kind}\",\"length\":{length},\"description\":\"d\",\
             \"enc\":\"{enc}\",\"prefix\":\"{prefix}\"}}"
        );
        line(spec(&field), "100").replace("name = \"d\", ", "")
    };
    assert_eq!(one("String", 5, "ASCII", "ASCII.Fixed"), "100 = { format = \"ans5\" }");
    assert_eq!(one("Numeric", 5, "Binary", "Binary.Fixed"), "100 = { format = \"n5\" }");
    assert_eq!(one("String", 5, "LBCD", "BCD.LLL"), "100 = { format = \"n...5\" }");
    assert_eq!(one("Track2", 37, "BCD", "BCD.LL"), "100 = { format = \"z..37\" }");
    assert_eq!(one("Hex", 8, "Binary", "Binary.Fixed"), "100 = { format = \"b64\" }");
    assert_eq!(one("Binary", 8, "HexToASCII", "Hex.Fixed"), "100 = { format = \"b64\" }");
    assert_eq!(
        one("Binary", 8, "HexToASCII", "ASCII.LL"),
        "100 = { format = \"b..8\", length_counts = \"digits\" }"
    );
    assert_eq!(one("String", 200, "ASCII", "Hex.L"), "100 = { format = \"ans..200\" }");
    assert_eq!(
        one("String", 900, "ASCII", "Binary.LLLL"),
        "100 = { format = \"ans....900\", length_bytes = 4 }"
    );
    for (enc, prefix) in [("ASCII", "Odd.LL"), ("ASCII", "ASCII"), ("BerTLVTag", "ASCII.LL")] {
        assert_eq!(one("String", 5, enc, prefix), "no such line");
    }
}

#[test]
fn what_the_messages_mean_is_fitted_to_the_fields_and_never_without_original_data() {
    let numbers = [(2, 19), (3, 6), (4, 12), (7, 10), (11, 6), (12, 6), (13, 4), (39, 2), (49, 3)];
    let field = |(id, length): (u8, u8)| {
        let class = if id == 2 { "IFA_LLNUM" } else { "IFA_NUMERIC" };
        format!("<isofield id='{id}' length='{length}' name='n' class='{class}'/>\n")
    };
    let few: String = numbers.into_iter().map(field).collect();
    assert!(!told_text(packager(&few)).contains("extends"));
    let done = packager(&(few + &field((90, 42))));
    let remarks: Vec<String> =
        done.iter().flat_map(|i| &i.remarks).map(|r| r.reason.clone()).collect();
    let text = told_text(done);
    assert!(text.contains("extends = \"iso8583-1987-ascii\""), "{text}");
    // Nothing tells a completion without F25; a void is still told by F3.
    assert!(text.contains("\ncompletion-void = false\n"), "{text}");
    assert!(!text.contains("\nvoid = false\n"), "{text}");
    let said = "[messages] completion is taken away: what tells it from others is missing";
    assert!(remarks.iter().any(|r| r == said), "{remarks:#?}");
}

#[test]
fn what_is_nested_or_strung_out_without_end_is_read_in_bounded_time_and_depth() {
    let class = "length='9' name='x' class='IFA_LLCHAR'";
    let open = format!("<isofieldpackager id='48' {class} packager='GenericPackager'>\n");
    let (deep, shut) = (open.repeat(10_000), "</isofieldpackager>".repeat(10_000));
    assert!(told_text(packager(&format!("{deep}{shut}"))).contains("48 = { name = \"x\""));
    // Forty-five thousand elements nobody knows: each is told with its line.
    let strung = told_text(packager(&"<x/>\n".repeat(45_000)));
    assert!(strung.contains("# check: line 45003: the element <x> is not known"));
    let part = "{\"type\":\"Composite\",\"length\":9,\"prefix\":\"ASCII.LL\",\"subfields\":{\"1\":";
    let nested = format!(",\"48\":{}1{}", part.repeat(20), "}}".repeat(20));
    assert!(told_text(spec(&nested)).contains("48 = "), "{}", told_text(spec(&nested)));
    let endless = told(spec(&format!(",\n\"48\":{}", part.repeat(50_000))));
    assert!(endless.starts_with("a.json:3: is no specification in JSON: nested too deep, column "));
}

#[test]
fn what_is_wrong_with_a_field_of_a_specification_is_told_with_its_line() {
    let text = "\"type\":\"String\",\"length\":4,\"prefix\":\"ASCII.Fixed\"";
    let unknown = format!(",\n\n\"63\":{{{text},\n\"enc\":\"Klingon\"}}");
    let said = spec(&unknown).map(|imported| imported.remarks[0].to_string());
    let said = said.unwrap_or_else(|error| error.to_string());
    assert!(said.starts_with("a.json:4: field 63: "), "{said}");
    assert!(told(spec(",\n\"200\":{}")).starts_with("a.json:3: field 200: is no data element"));
    let part = format!("\"subfields\":{{\"1\":{{{text},\"enc\":\"ASCII\"}},\n\"2\":7}}");
    let outer = "\"type\":\"Composite\",\"length\":9,\"prefix\":\"ASCII.LL\"";
    let told = told(spec(&format!(",\n\"48\":{{{outer},{part}}}")));
    assert_eq!(told, "a.json:4: field 48.2: expected an object, got a number");
}
