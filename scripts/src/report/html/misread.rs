//! The misread digits: what the contract saw, what it took it for, and by how much.

use crate::{
    plot::Error,
    report::{Misread, signed, thousands},
    samples::Image,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use maud::{Markup, html};

/// Digits that are shown.
const SHOWN: usize = 200;

/// The first of them, with their logits.
///
/// # Errors
/// [`Error::Encode`].
pub(super) fn misread(misread: &[Misread], images: &[Image]) -> Result<Markup, Error> {
    let shown = misread.iter().take(SHOWN);
    let digits: Vec<Markup> = shown.map(|one| digit(one, images)).collect::<Result<_, _>>()?;
    let more = misread.len().saturating_sub(SHOWN);
    Ok(html! {
        @if misread.is_empty() { p { "None." } } @else {
            p {
                "Each with its index in the test set, and with the contract's logits, from the least to the most. "
                span.mark.right { "✓" } " the digit, " span.mark.chosen { "✗" } " the contract's answer."
            }
            ul.misread { @for digit in &digits { li { (digit) } } }
            @if more > 0 {
                p { "The first " (SHOWN) " are shown; " (thousands(more as u64)) " more are in the JSON beside this page." }
            }
        }
    })
}

fn digit(one: &Misread, images: &[Image]) -> Result<Markup, Error> {
    let Misread { image: index, label, digit, logits } = one;
    let picture = images.get(*index).map(data_uri).transpose()?;
    let least = logits.iter().copied().min().unwrap_or_default();
    let most = logits.iter().copied().max().unwrap_or_default();
    let range = f64::from(most) - f64::from(least);
    let share = |logit: i32| match range {
        0.0 => 0.0,
        range => (f64::from(logit) - f64::from(least)) / range,
    };
    let class = |class: usize| match class {
        class if class == usize::from(*label) => Some(("right", "✓")),
        class if class == usize::from(*digit) => Some(("chosen", "✗")),
        _ => None,
    };
    let index = thousands(*index as u64);
    Ok(html! {
        figure {
            @if let Some(picture) = &picture {
                img src=(picture) width="80" height="80" alt={ "Test image " (index) ", a " (label) };
            }
            figcaption { b { (label) " → " (digit) } " " span { "#" (index) } }
        }
        ol.logits {
            @for (index, &logit) in logits.iter().enumerate() {
                li class=[class(index).map(|class| class.0)] {
                    span { (index) @if let Some((_, mark)) = class(index) { " " (mark) } }
                    i style={ "--share:" (format!("{:.3}", share(logit))) } {}
                    b { (signed(logit).replace('-', "−")) }
                }
            }
        }
    })
}

/// The picture as the contract gets it.
fn data_uri(image: &Image) -> Result<String, Error> {
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(image, 20, 20, ExtendedColorType::L8)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(image: usize) -> Misread {
        Misread { image, label: 0, digit: 2, logits: vec![10, -1_000, 1_000] }
    }

    #[test]
    fn logits_are_bars() {
        let page = misread(&[one(1)], &[[0; 400], [7; 400]]).unwrap().into_string();
        for part in [
            "width=\"80\" height=\"80\" alt=\"Test image 1, a 0\">",
            "<figcaption><b>0 → 2</b> <span>#1</span></figcaption>",
            "<li class=\"right\"><span>0 ✓</span><i style=\"--share:0.505\"></i><b>10</b></li>\
             <li><span>1</span><i style=\"--share:0.000\"></i><b>−1,000</b></li>\
             <li class=\"chosen\"><span>2 ✗</span><i style=\"--share:1.000\"></i><b>1,000</b></li>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        let (_, rest) = page.split_once("src=\"data:image/png;base64,").unwrap();
        let png = STANDARD.decode(rest.split('"').next().unwrap()).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        assert_eq!((picture.dimensions(), picture.as_raw()), ((20, 20), &vec![7; 400]));
    }

    #[test]
    fn none_and_many() {
        assert_eq!(misread(&[], &[]).unwrap().into_string(), "<p>None.</p>");
        let all: Vec<Misread> = (0..1_300).map(one).collect();
        let page = misread(&all, &[]).unwrap().into_string();
        assert_eq!(page.matches("<figure>").count(), 200);
        assert!(page.contains("The first 200 are shown; 1,100 more are in the JSON"));
    }
}
