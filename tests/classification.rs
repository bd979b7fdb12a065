//! The shipped classifiers are the networks that were trained: photos get the classes and probabilities that the
//! official weights give them.

use aliascope::graph::{LoadOptions, Network};
use aliascope::input::{METADATA_KEY, Preprocessing, read_photo};
use tch::{Kind, Tensor};

use crate::common::asset;

#[test]
fn efficientnet_lite_knows_a_cat_and_an_espresso() {
    let expected = [
        ("efficientnet-lite0", 224, [0.39, 0.94]),
        ("efficientnet-lite1", 240, [0.52, 0.63]),
        ("efficientnet-lite2", 260, [0.60, 0.90]),
    ];
    for (model, size, probabilities) in expected {
        let network = Network::load(&asset(&format!("models/{model}.onnx")), &LoadOptions::default()).unwrap();
        assert_eq!(network.input().shape, [1, 3, size, size]);
        let preprocessing = Preprocessing::from_metadata(network.metadata(METADATA_KEY).unwrap()).unwrap();
        for ((photo, class), probability) in [("chelsea", 285), ("coffee", 967)].into_iter().zip(probabilities) {
            let path = asset(&format!("photos/{photo}.png"));
            let image = read_photo(&path, &preprocessing, [3, size as usize, size as usize]).unwrap();
            let values: Vec<f64> = image.data.iter().copied().collect();
            let x = Tensor::from_slice(&values).view([1, 1, 3, size, size]).to_kind(Kind::Float);
            let p = network.forward(&x).unwrap().softmax(-1, None::<Kind>).view([-1]);
            assert_eq!(p.argmax(0, false).int64_value(&[]), class, "{model} on {photo}");
            let found = p.double_value(&[class]);
            // Two printed digits, and resampling filters that differ by fractions of a grey level. Symmetric padding
            // or another epsilon moves these by several hundredths.
            assert!((found - probability).abs() < 0.01, "{model} on {photo}: {found:.4}, not {probability}");
        }
    }
}
