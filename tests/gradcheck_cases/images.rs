//! Convolutions, pooling, normalisation, resampling: what works on rows and columns.

use aliascope::graph::onnx::proto::AttributeProto;

use super::{Case, Dims, In, c, case, cr, f, i, is, list, s, v};
use crate::common::model::{Value, attribute};

pub fn cases(d: &Dims) -> Vec<Case> {
    let mut all = convolutions(d);
    all.extend(pools(d));
    all.extend(normalizations(d));
    all.extend(resamplings(d));
    all.extend(grids(d));
    all
}

fn convolutions(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let (x, line) = (x.as_slice(), [d.n, d.c, d.w]);
    let weight = c(&[3, d.c, 3, 2]);
    let grouped = c(&[4, d.c / 2, 2, 3]);
    let turned = c(&[d.c, 3, 3, 2]);
    let conv = |inputs: Vec<In>, attributes: Vec<AttributeProto>| case("Conv", 11, inputs, attributes);
    let transpose = |inputs: Vec<In>, attributes: Vec<AttributeProto>| case("ConvTranspose", 11, inputs, attributes);
    let fused = |inputs: Vec<In>, attributes: Vec<AttributeProto>| case("FusedConv", 1, inputs, attributes).microsoft();
    let small = || c(&[3, d.c, 1, 1]);
    let mut all = vec![
        conv(vec![v(x), weight.clone()], vec![]),
        conv(vec![v(x), weight.clone(), c(&[3])], vec![is("pads", &[1, 0, 2, 1]), is("kernel_shape", &[3, 2])]),
        conv(vec![v(x), weight.clone(), c(&[3])], vec![is("strides", &[2, 3]), is("pads", &[1, 1, 1, 1])]),
        conv(vec![v(x), weight.clone()], vec![is("dilations", &[1, 2]), is("strides", &[2, 1])]),
        conv(vec![v(x), grouped.clone(), c(&[4])], vec![i("group", 2)]),
        conv(vec![v(x), weight.clone()], vec![s("auto_pad", "SAME_UPPER"), is("strides", &[2, 2])]),
        conv(vec![v(x), weight.clone()], vec![s("auto_pad", "SAME_LOWER"), is("dilations", &[1, 2])]),
        conv(vec![v(x), weight.clone()], vec![s("auto_pad", "VALID")]),
        conv(vec![v(&line), c(&[3, d.c, 3]), c(&[3])], vec![is("strides", &[2]), is("pads", &[2, 1])]),
        transpose(vec![v(x), turned.clone()], vec![]),
        transpose(vec![v(x), turned.clone(), c(&[3])], vec![is("strides", &[2, 3]), is("output_padding", &[1, 2])]),
        transpose(vec![v(x), turned.clone()], vec![is("strides", &[2, 2]), is("pads", &[1, 0, 1, 1])]),
        transpose(vec![v(x), turned.clone()], vec![is("dilations", &[2, 1])]),
        transpose(vec![v(x), turned.clone()], vec![s("auto_pad", "SAME_UPPER"), is("strides", &[2, 2])]),
        transpose(vec![v(x), turned.clone()], vec![s("auto_pad", "SAME_LOWER"), is("strides", &[2, 2])]),
        transpose(
            vec![v(x), turned.clone()],
            vec![is("strides", &[2, 2]), is("output_shape", &[2 * d.h + 1, 2 * d.w])],
        ),
        transpose(vec![v(x), c(&[d.c, 2, 2, 2]), c(&[4])], vec![i("group", 2)]),
        transpose(vec![v(&line), c(&[d.c, 3, 3])], vec![is("strides", &[2])]),
        fused(vec![v(x), small(), c(&[3])], vec![]),
        fused(vec![v(x), small(), In::Absent, v(&[d.n, 3, d.h, d.w])], vec![s("activation", "Relu")]),
    ];
    let (volume, deep) = (d.volume(), c(&[3, d.c, 2, 3, 2]));
    all.extend([
        conv(vec![v(&volume), deep.clone(), c(&[3])], vec![is("pads", &[1, 0, 1, 0, 2, 0]), is("strides", &[1, 2, 2])]),
        conv(vec![v(&volume), c(&[4, d.c / 2, 1, 3, 3])], vec![i("group", 2), s("auto_pad", "SAME_UPPER")]),
        transpose(vec![v(&volume), c(&[d.c, 2, 2, 1, 3])], vec![is("strides", &[2, 1, 2]), is("pads", &[0; 6])]),
        transpose(vec![v(&volume), c(&[d.c, 2, 2, 3, 1])], vec![i("group", 2), is("dilations", &[1, 2, 1])]),
    ]);
    // Weights, images and biases that depend on the network's input, together and alone.
    let (moving, moving_grouped) = (v(&[3, d.c, 3, 2]), v(&[4, d.c / 2, 2, 3]));
    let padded = || vec![is("pads", &[1, 0, 2, 1]), is("strides", &[2, 1])];
    let turned_moving = v(&[d.c, 2, 3, 2]);
    let stepped = || vec![is("strides", &[2, 2]), is("pads", &[1, 0, 1, 1]), is("output_padding", &[1, 0])];
    all.extend([
        conv(vec![v(x), moving.clone()], vec![]),
        conv(vec![v(x), moving.clone(), c(&[3])], padded()),
        conv(vec![v(x), moving.clone(), v(&[3])], padded()),
        conv(vec![c(x), moving.clone(), v(&[3])], padded()),
        conv(vec![v(x), weight.clone(), v(&[3])], padded()),
        conv(vec![v(x), moving_grouped.clone(), v(&[4])], vec![i("group", 2), is("dilations", &[2, 1])]),
        conv(vec![v(&line), v(&[4, d.c / 2, 3]), c(&[4])], vec![i("group", 2), s("auto_pad", "SAME_LOWER")]),
        conv(vec![v(&volume), v(&[2, d.c, 1, 2, 2]), v(&[2])], vec![]),
        transpose(vec![v(x), turned_moving.clone()], vec![]),
        transpose(vec![v(x), turned_moving.clone(), v(&[4])], [stepped(), vec![i("group", 2)]].concat()),
        transpose(vec![c(x), turned_moving.clone(), c(&[2])], stepped()),
        transpose(vec![v(x), c(&[d.c, 2, 3, 2]), v(&[2])], stepped()),
        transpose(vec![v(&line), v(&[d.c, 3, 2])], vec![s("auto_pad", "SAME_UPPER"), is("strides", &[2])]),
    ]);
    for (activation, parameters) in [
        ("Tanh", vec![]),
        ("Sigmoid", vec![]),
        ("LeakyRelu", vec![0.2]),
        ("Clip", vec![-0.5, 1.5]),
        ("HardSigmoid", vec![0.2, 0.4]),
    ] {
        let mut attributes = vec![s("activation", activation), is("pads", &[1, 1, 1, 1])];
        if !parameters.is_empty() {
            attributes.push(attribute("activation_params", Value::Floats(parameters)));
        }
        all.push(fused(vec![v(x), weight.clone(), c(&[3])], attributes));
    }
    all
}

fn pools(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let (x, line) = (x.as_slice(), [d.n, d.c, d.w]);
    let mut all = Vec::new();
    let window = |more: Vec<AttributeProto>| [vec![is("kernel_shape", &[3, 2])], more].concat();
    for (operator, outputs) in [("AveragePool", 1), ("MaxPool", 1), ("MaxPool", 2), ("LpPool", 1)] {
        let add = |all: &mut Vec<Case>, input: &[i64], attributes: Vec<AttributeProto>| {
            all.push(case(operator, 22, vec![v(input)], attributes).outputs(outputs));
        };
        add(&mut all, x, window(vec![]));
        add(&mut all, x, window(vec![is("strides", &[2, 2]), is("pads", &[1, 0, 0, 1])]));
        add(&mut all, x, window(vec![is("strides", &[2, 3]), i("ceil_mode", 1)]));
        add(&mut all, x, window(vec![is("strides", &[2, 3]), is("pads", &[1, 1, 1, 1]), i("ceil_mode", 1)]));
        add(&mut all, x, window(vec![is("dilations", &[1, 2]), is("pads", &[0, 1, 1, 0])]));
        add(&mut all, x, window(vec![s("auto_pad", "SAME_UPPER"), is("strides", &[2, 2])]));
        add(&mut all, x, window(vec![s("auto_pad", "SAME_LOWER")]));
        add(&mut all, x, window(vec![s("auto_pad", "VALID")]));
        add(&mut all, &line, vec![is("kernel_shape", &[3]), is("strides", &[2]), is("pads", &[1, 1])]);
    }
    let volume = d.volume();
    let deep = |more: Vec<AttributeProto>| [vec![is("kernel_shape", &[2, 3, 2])], more].concat();
    for (operator, outputs) in [("AveragePool", 1), ("MaxPool", 1), ("MaxPool", 2), ("LpPool", 1)] {
        let mut add = |attributes: Vec<AttributeProto>| {
            all.push(case(operator, 22, vec![v(&volume)], attributes).outputs(outputs));
        };
        add(deep(vec![]));
        add(deep(vec![is("strides", &[2, 1, 2]), is("pads", &[1, 0, 1, 0, 1, 1])]));
        add(deep(vec![is("strides", &[2, 3, 2]), i("ceil_mode", 1), is("pads", &[0, 1, 0, 0, 1, 0])]));
        add(deep(vec![is("dilations", &[1, 1, 2]), is("pads", &[0, 1, 1, 1, 0, 1])]));
    }
    all.push(case("MaxPool", 22, vec![v(&volume)], deep(vec![i("storage_order", 1)])).outputs(2));
    let counted = || i("count_include_pad", 1);
    all.extend([
        case("AveragePool", 19, vec![v(x)], window(vec![is("pads", &[1, 1, 1, 0]), counted()])),
        case(
            "AveragePool",
            19,
            vec![v(x)],
            window(vec![is("pads", &[1, 1, 1, 0]), counted(), is("strides", &[2, 3]), i("ceil_mode", 1)]),
        ),
        case("MaxPool", 12, vec![v(x)], window(vec![i("storage_order", 1)])).outputs(2),
        case("MaxPool", 12, vec![v(&line)], vec![is("kernel_shape", &[2]), is("pads", &[1, 0])]).outputs(2),
        case("LpPool", 18, vec![v(x)], window(vec![i("p", 1)])),
        case("LpPool", 18, vec![v(x)], window(vec![i("p", 3), is("strides", &[2, 1])])),
    ]);
    for operator in ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"] {
        all.push(case(operator, 11, vec![v(x)], vec![]));
        all.push(case(operator, 11, vec![v(&line)], vec![]));
        all.push(case(operator, 11, vec![v(&volume)], vec![]));
    }
    all.push(case("GlobalLpPool", 11, vec![v(x)], vec![i("p", 3)]));
    all
}

fn normalizations(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let (x, per_channel) = (x.as_slice(), [d.c]);
    let positive = || cr(&per_channel, 0.4, 2.0);
    let batch = || vec![v(x), c(&per_channel), c(&per_channel), c(&per_channel), positive()];
    let inner = [d.c, d.h, d.w];
    vec![
        case("BatchNormalization", 15, batch(), vec![]),
        case("BatchNormalization", 9, batch(), vec![f("epsilon", 0.01), f("momentum", 0.8)]),
        case("LayerNormalization", 17, vec![v(x), c(&[d.w])], vec![]),
        case("LayerNormalization", 17, vec![v(x), c(&inner), c(&inner)], vec![i("axis", 1), f("epsilon", 0.01)]),
        case("LayerNormalization", 17, vec![v(x), c(&[d.h, d.w]), c(&[d.h, d.w])], vec![i("axis", -2)]).outputs(3),
        case("LayerNormalization", 1, vec![v(x), c(&[d.w]), c(&[d.w])], vec![]).microsoft(),
        case(
            "SkipLayerNormalization",
            1,
            vec![v(&[d.n, d.h, d.w]), v(&[d.n, d.h, d.w]), c(&[d.w]), c(&[d.w]), c(&[d.w])],
            vec![f("epsilon", 0.01)],
        )
        .microsoft(),
        case("SkipLayerNormalization", 1, vec![v(&[d.n, d.h, d.w]), c(&[d.n, d.h, d.w]), c(&[d.w])], vec![])
            .microsoft(),
        case("RMSNormalization", 23, vec![v(x), c(&[d.w])], vec![]),
        case("RMSNormalization", 23, vec![v(x), c(&inner)], vec![i("axis", 1), f("epsilon", 0.01)]),
        case("InstanceNormalization", 7, vec![v(x), c(&per_channel), c(&per_channel)], vec![f("epsilon", 0.01)]),
        case("GroupNormalization", 18, vec![v(x), c(&[2]), c(&[2])], vec![i("num_groups", 2)]),
        case("GroupNormalization", 21, vec![v(x), c(&per_channel), c(&per_channel)], vec![i("num_groups", 2)]),
        case(
            "GroupNormalization",
            21,
            vec![v(x), c(&per_channel), c(&per_channel)],
            vec![i("num_groups", 2), i("stash_type", 1), f("epsilon", 0.01)],
        ),
        case("LayerNormalization", 17, vec![v(x), c(&[d.w])], vec![i("stash_type", 1)]),
        case("RMSNormalization", 23, vec![v(x), c(&[d.w])], vec![i("stash_type", 1)]),
        case("LpNormalization", 7, vec![v(x)], vec![]),
        case("LpNormalization", 7, vec![v(x)], vec![i("axis", 1), i("p", 1)]),
        case("LRN", 13, vec![v(x)], vec![i("size", 3)]),
        case("LRN", 13, vec![v(x)], vec![i("size", 2), f("alpha", 0.3), f("beta", 0.6), f("bias", 1.5)]),
        case("Softmax", 13, vec![v(x)], vec![]),
        case("Softmax", 13, vec![v(x)], vec![i("axis", 1)]),
        case("Softmax", 11, vec![v(x)], vec![]),
        case("Softmax", 11, vec![v(x)], vec![i("axis", 2)]),
        case("LogSoftmax", 13, vec![v(x)], vec![i("axis", -2)]),
        case("LogSoftmax", 11, vec![v(x)], vec![i("axis", 1)]),
    ]
}

fn resamplings(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let x = x.as_slice();
    let mut all = Vec::new();
    let sizes = |h: i64, w: i64| vec![v(x), In::Absent, In::Absent, list(&[d.n, d.c, h, w])];
    for mode in ["nearest", "linear", "cubic"] {
        for coordinates in ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"] {
            let attributes = vec![s("mode", mode), s("coordinate_transformation_mode", coordinates)];
            all.push(case("Resize", 19, sizes(2 * d.h + 1, d.w - 1), attributes));
        }
        let scales = vec![v(x), In::Absent, In::Constant(vec![2], 1.3, 1.9)];
        all.push(case("Resize", 19, scales, vec![s("mode", mode), is("axes", &[-2, -1])]));
    }
    for rounding in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] {
        let attributes =
            vec![s("mode", "nearest"), s("nearest_mode", rounding), s("coordinate_transformation_mode", "asymmetric")];
        all.push(case("Resize", 13, sizes(3, 2 * d.w), attributes));
    }
    for mode in ["linear", "cubic"] {
        let smooth = |more: Vec<AttributeProto>| [vec![s("mode", mode), i("antialias", 1)], more].concat();
        all.push(case("Resize", 18, sizes(3, 2), smooth(vec![])));
        all.push(case("Resize", 18, sizes(3, 2), smooth(vec![i("exclude_outside", 1)])));
    }
    let policy = |name: &'static str| vec![s("keep_aspect_ratio_policy", name), is("axes", &[2, 3])];
    let two = || vec![v(x), In::Absent, In::Absent, list(&[7, 9])];
    all.extend([
        case("Resize", 13, sizes(7, 9), vec![s("mode", "cubic"), f("cubic_coeff_a", -0.5), i("exclude_outside", 1)]),
        case("Resize", 18, two(), policy("not_larger")),
        case("Resize", 18, two(), policy("not_smaller")),
        case(
            "Resize",
            13,
            vec![
                v(x),
                In::Constants(vec![0.0, 0.0, -0.2, 0.1, 1.0, 1.0, 0.8, 1.3]),
                In::Absent,
                list(&[d.n, d.c, 5, 6]),
            ],
            vec![
                s("mode", "linear"),
                s("coordinate_transformation_mode", "tf_crop_and_resize"),
                f("extrapolation_value", 0.7),
            ],
        ),
        case("Upsample", 9, vec![v(x), In::Constants(vec![1.0, 1.0, 2.0, 3.0])], vec![]),
        case("Upsample", 9, vec![v(x), In::Constants(vec![1.0, 1.0, 2.0, 1.0])], vec![s("mode", "linear")]),
        case("DepthToSpace", 13, vec![v(&[d.n, 8, d.h, d.w])], vec![i("blocksize", 2)]),
        case("DepthToSpace", 13, vec![v(&[d.n, 8, d.h, d.w])], vec![i("blocksize", 2), s("mode", "CRD")]),
        case("SpaceToDepth", 13, vec![v(&[d.n, d.c, 4, 6])], vec![i("blocksize", 2)]),
    ]);
    all
}

fn grids(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let x = x.as_slice();
    let grid = vec![d.n, 3, 4, 2];
    let mut all = Vec::new();
    for align in [0, 1] {
        // Positions in the image and around it, off the samples and the middles between them, where sampling has kinks.
        let mut positions = Vec::new();
        for i in 0..d.n * 12 {
            for (axis, n) in [(1, d.w), (2, d.h)] {
                let whole = (i * 5 + 3 * axis) % (n + 4) - 2;
                let position = whole as f64 + [0.13, 0.37, 0.61, 0.88][((i + axis) % 4) as usize];
                let n = n as f64;
                positions.push(if align == 1 {
                    2.0 * position / (n - 1.0) - 1.0
                } else {
                    (2.0 * position + 1.0) / n - 1.0
                });
            }
        }
        let moving = || In::Values(grid.clone(), positions.clone());
        for mode in ["linear", "nearest", "cubic"] {
            for outside in ["zeros", "border", "reflection"] {
                let attributes = || vec![s("mode", mode), s("padding_mode", outside), i("align_corners", align)];
                // libtorch has no forward-mode derivative of its sampler; a moving grid is sampled by other means.
                all.push(case("GridSample", 20, vec![v(x), cr(&grid, -1.3, 1.3)], attributes()).without_peer());
                all.push(case("GridSample", 20, vec![v(x), moving()], attributes()));
                all.push(case("GridSample", 20, vec![c(x), moving()], attributes()));
            }
        }
    }
    all
}
