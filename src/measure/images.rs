//! Measurements of a network over photos and tensors, for programs: what the command line does, without its options.

use std::path::{Path, PathBuf};

use ndarray::Array3;
use tch::{Device as TorchDevice, Tensor};

use super::grouping::Estimator;
use super::layers::{LayerMeter, LayersError, LayersOptions, report};
use super::layers_report::LayersReport;
use super::lee::{HORIZON_IMAGES, LeeError, LeeMeter, LeeOptions};
use super::lee_report::LeeReport;
use super::precision::precision;
use super::run::{Device, Images as ImagesHeader, Model, Origin, Quantised, Run};
use crate::graph::{InputLayout, Integers, Network};
use crate::input::{Frame, InputError, METADATA_KEY, Preprocessing, Source, StatedPreprocessing, read_photo};

/// Why a network was not measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// An image cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The network's input is no image.
    #[error("the network's input has the shape {0:?}; images are [1, channels, rows, columns]")]
    NotAnImage(Vec<i64>),
    /// There is nothing to measure on.
    #[error("there is no image to measure; give files or folders that have some")]
    NoImage,
    /// A file of the model cannot be read any more.
    #[error("{}: it cannot be read: {source}", path.display())]
    Model {
        /// The model's file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Lie derivatives failed.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// The attribution failed.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// LAPACK failed.
    #[error("LAPACK cannot decompose the Gram matrix: {0}")]
    Spectrum(#[from] ndarray_linalg::error::LinalgError),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] tch::TchError),
}

/// How photos become a network's input, and whose word that is.
#[derive(Clone, Debug)]
pub struct Stated {
    /// How.
    pub preprocessing: Preprocessing,
    /// `metadata`, `metadata of timm`, `bytes`, `signed bytes` or `imagenet`.
    pub name: String,
    /// What was assumed, where the model does not say all.
    pub assumed: Option<String>,
}

impl Stated {
    /// What `network`, which takes `[channels, rows, columns]`, says of its input: in the metadata of its file, or by
    /// taking integers; ImageNet's mean and deviation where it says nothing.
    ///
    /// # Errors
    /// The metadata that aliascope wrote cannot be read, or does not fit the input.
    pub fn by(network: &Network, size: [usize; 3]) -> Result<Self, InputError> {
        let stated = |preprocessing, name: &str| Self { preprocessing, name: name.to_owned(), assumed: None };
        if let Some(json) = network.metadata(METADATA_KEY) {
            let known = Preprocessing::from_metadata(json)?;
            let unfit = |error: InputError| InputError::Metadata { key: METADATA_KEY, problem: error.to_string() };
            known.fits(size).map_err(unfit)?;
            return Ok(stated(known, "metadata"));
        }
        match network.integers() {
            Some(Integers::Unsigned) => return Ok(stated(Preprocessing::bytes(0.0), "bytes")),
            Some(Integers::Signed8) => return Ok(stated(Preprocessing::bytes(128.0), "signed bytes")),
            None => {}
        }
        let assumed = match StatedPreprocessing::read(|key| network.metadata(key), size) {
            Ok(Some(found)) => {
                let name = format!("metadata of {}", found.program);
                return Ok(Self { preprocessing: found.preprocessing, name, assumed: found.note });
            }
            Ok(None) => {
                "the model does not say how photos become its input: --preprocess imagenet is assumed".to_owned()
            }
            Err(problem) => format!(
                "what the model's metadata says of preprocessing cannot be read ({problem}): --preprocess imagenet is \
                 assumed"
            ),
        };
        Ok(Self { assumed: Some(assumed), ..stated(Preprocessing::imagenet(), "imagenet") })
    }
}

/// The header of results on a network: all that it says itself.
///
/// # Errors
/// A file of the model cannot be read.
pub fn header(network: &Network) -> Result<Run, MeasureError> {
    let path = network.path();
    let model = Model::of_files(path, network.files().iter().map(PathBuf::as_path))
        .map_err(|source| MeasureError::Model { path: path.to_owned(), source })?;
    Ok(Run {
        origin: Origin::here(),
        model: Model {
            input_shape: network.input().shape.clone(),
            output_shape: network.output().shape.clone(),
            ..model
        },
        precision: precision(network.kind()),
        quantised: if network.is_straight_through() { Quantised::StraightThrough } else { Quantised::Refuse },
        device: match network.device() {
            TorchDevice::Cuda(number) => Device::Cuda(number),
            _ => Device::Cpu,
        },
        threads: usize::try_from(tch::get_num_threads()).unwrap_or(0),
        memory_format: network.memory_format(),
        ..Run::default()
    })
}

/// An image as a network's input, `[1, channels, rows, columns]`, in double precision.
///
/// # Errors
/// Memory is short.
pub fn input(image: &Array3<f64>) -> Result<Tensor, tch::TchError> {
    let (channels, rows, columns) = image.dim();
    let values: Vec<f64> = image.iter().copied().collect();
    Tensor::f_from_slice(&values)?.f_view([1, channels as i64, rows as i64, columns as i64])
}

/// A photo with `margin` more rows and columns than a network's input, `[1, channels, rows, columns]`.
///
/// # Errors
/// It cannot be read; the network takes no images.
pub fn larger_photo(
    network: &Network,
    path: &Path,
    preprocessing: &Preprocessing,
    margin: usize,
) -> Result<Tensor, MeasureError> {
    let [_, channels, rows, columns] = network.input().shape[..] else {
        return Err(MeasureError::NotAnImage(network.input().shape.clone()));
    };
    let [channels, rows, columns] = [channels, rows, columns].map(|n| n as usize);
    let (more_rows, more_columns) = (rows + margin, columns + margin);
    let larger = preprocessing.for_larger(rows.max(columns), more_rows.max(more_columns));
    Ok(input(&read_photo(path, &larger, [channels, more_rows, more_columns])?.data)?)
}

/// Per channel of a network's input, what one unit of it is in pixel values of 0 to 1; none where some image is a
/// tensor, whose units nobody knows.
pub fn pixel_scale(network: &Network, source: &Source, preprocessing: &Preprocessing) -> Option<Vec<f64>> {
    let photos = source.frames().iter().all(|frame| matches!(frame, Frame::Photo(_)));
    let channels = network.input().shape.get(1).map_or(1, |&count| count.max(1) as usize);
    photos.then(|| preprocessing.pixel_scale(channels))
}

/// Images as the input of a network, of which only the one in hand is in memory.
pub struct Images<'a> {
    network: &'a Network,
    source: Source,
    stated: Stated,
}

impl<'a> Images<'a> {
    /// The images of files, folders (searched with the folders in them) and tensors in .safetensors files. Photos
    /// become input as the model's file says, or else by ImageNet's mean and deviation.
    ///
    /// # Errors
    /// The network takes no images; a path cannot be read, or has none.
    pub fn open(network: &'a Network, paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self, MeasureError> {
        let [1, channels, rows, columns] = network.input().shape[..] else {
            return Err(MeasureError::NotAnImage(network.input().shape.clone()));
        };
        let size = [channels, rows, columns].map(|n| n as usize);
        let paths: Vec<PathBuf> = paths.into_iter().map(|path| path.as_ref().to_owned()).collect();
        let mut source = Source::open_as(&paths, size, network.input_layout() == InputLayout::ChannelsLast)?;
        if let Some((_, error)) = source.sift().into_iter().next() {
            return Err(error.into());
        }
        if source.frames().is_empty() {
            return Err(MeasureError::NoImage);
        }
        Ok(Self { network, source, stated: Stated::by(network, size)? })
    }

    /// The same images, which become input in another way.
    #[must_use]
    pub fn preprocessed(self, preprocessing: Preprocessing) -> Self {
        Self { stated: Stated { preprocessing, name: "given".to_owned(), assumed: None }, ..self }
    }

    /// How photos become input, and whether that is assumed.
    pub fn stated(&self) -> &Stated {
        &self.stated
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<String> {
        self.source.frames().iter().map(Frame::name).collect()
    }

    /// The image at a place, `[1, 1, channels, rows, columns]`, in double precision.
    ///
    /// # Errors
    /// There is none, or it cannot be decoded.
    pub fn tensor(&self, at: usize) -> Result<Tensor, MeasureError> {
        let frame = self.source.frames().get(at).ok_or(MeasureError::NoImage)?;
        let (image, _) = self.source.read(frame, &self.stated.preprocessing)?;
        Ok(input(&image)?.f_unsqueeze(0)?)
    }

    /// The header of results on them.
    fn header(&self) -> Result<Run, MeasureError> {
        let preprocess = match self.source.has_photos() {
            true => format!("{} ({})", self.stated.name, self.stated.preprocessing.describe()),
            false => "tensor (taken as it is)".to_owned(),
        };
        let images = ImagesHeader { names: self.names(), preprocess, skipped: Vec::new() };
        Ok(Run { images, ..header(self.network)? })
    }
}

/// The Lie derivative error of a network over images: see [`LeeMeter`]. The unit of `relative` is that of photos, where
/// all images are.
///
/// # Errors
/// An image cannot be read; the network, its output or a result does not allow it.
pub fn measure_lee(images: &Images<'_>, options: LeeOptions) -> Result<LeeReport, MeasureError> {
    let scale = || pixel_scale(images.network, &images.source, &images.stated.preprocessing);
    let pixel_scale = options.pixel_scale.clone().or_else(scale);
    let mut meter = LeeMeter::new(images.network, LeeOptions { pixel_scale, ..options })?;
    let mut first = Vec::new();
    for (at, name) in images.names().into_iter().enumerate() {
        let x = images.tensor(at)?;
        meter.measure(&x, &[name])?;
        if first.len() < HORIZON_IMAGES {
            first.push(x);
        }
    }
    meter.measure_horizon(&first)?;
    let timing = meter.timing(&images.tensor(0)?, 0)?;
    Ok(meter.report(images.header()?, &[], timing)?)
}

/// The contribution of every layer to that error over images, one image after the other: see [`LayerMeter`].
///
/// # Errors
/// As [`measure_lee`]; the memory that the options allow is too small.
pub fn measure_layers(images: &Images<'_>, options: LayersOptions) -> Result<LayersReport, MeasureError> {
    let scale = || pixel_scale(images.network, &images.source, &images.stated.preprocessing);
    let pixel_scale = options.pixel_scale.clone().or_else(scale);
    let mut meter = LayerMeter::new(images.network, LayersOptions { pixel_scale, ..options })?;
    let (mut passes, mut attributions) = (Vec::new(), Vec::new());
    for (at, name) in images.names().into_iter().enumerate() {
        let x = images.tensor(at)?;
        passes.push(images.network.forward_ms(&x).map_err(LeeError::from)?);
        let begun = std::time::Instant::now();
        meter.measure(&x, &[name], &mut |_, _| {})?;
        attributions.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let times = [passes, attributions].map(crate::statistics::median);
    report(&[meter], images.header()?, Estimator::Exact, times, None).ok_or(MeasureError::NoImage)
}
