//! The full model: texts to vectors, by `rten` on one core.
//!
//! A model folder holds `model.onnx`, a BERT-like encoder with the uncased vocabulary of
//! all-MiniLM-L6-v2, whose last hidden states are averaged over the tokens. Nothing is fetched
//! from anywhere. A text takes milliseconds: never call this on the path of a frame.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::{ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use sha2::{Digest as _, Sha256};

use crate::limits::TOKENS_MAX;
use crate::profile::Profile;
use crate::wordpiece::WordPiece;

/// The model's file in its folder.
const MODEL_FILE: &str = "model.onnx";
/// Digest of the int8 build of all-MiniLM-L6-v2 that `cargo xtask model` installs.
pub(crate) const MINILM_SHA256: &str =
    "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6";

/// Why there is no model to embed with; each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No folder holds a model.
    #[error(
        "no language model found: run `cargo xtask model`, or put model.onnx into {}",
        .looked.first().map_or_else(|| "the model folder".to_owned(), |p| p.display().to_string())
    )]
    Missing { looked: Vec<PathBuf> },
    /// The file is there and cannot be read.
    #[error("cannot read {}: {source}; check its permissions, or run `cargo xtask model` again", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file is not a model that can run here.
    #[error("{} is not a model this program can run ({why}); remove it and run `cargo xtask model`", .path.display())]
    Unusable { path: PathBuf, why: String },
    /// The folder's vocabulary is not the one built in.
    #[error("{} differs from the built-in vocabulary: only models with BERT's uncased vocabulary work; remove the folder's model or choose another", .path.display())]
    OtherVocabulary { path: PathBuf },
    /// The model's vectors are not as wide as the profile asks for.
    #[error(
        "profile `{profile}` needs a model of {expected} dimensions, and {} gives {found}: put such a model.onnx there, or choose another profile", .path.display()
    )]
    OtherWidth { path: PathBuf, profile: &'static str, expected: usize, found: usize },
    /// The model failed on a text.
    #[error("the model failed on a text ({why}); its fast vector stays")]
    Failed { why: String },
}

/// What turns texts into vectors; the model, or a stand-in under test.
pub trait Embed {
    /// One unit vector a text.
    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError>;
    /// Names the weights in every vector made by them.
    fn id(&self) -> &str;
}

/// A loaded model.
pub struct Model {
    graph: rten::Model,
    pool: Arc<ThreadPool>,
    input_ids: NodeId,
    attention_mask: NodeId,
    token_types: Option<NodeId>,
    output: NodeId,
    dimensions: usize,
    id: String,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Model {
    /// Reads the model of folder `dir` (20 to 100 MB) and tries it on one word.
    pub fn load(dir: &Path) -> Result<Model, ModelError> {
        let path = dir.join(MODEL_FILE);
        let mut bytes = Vec::new();
        match std::fs::File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(ModelError::Missing { looked: vec![dir.to_owned()] });
            }
            Err(source) => return Err(ModelError::Unreadable { path, source }),
        }
        let vocabulary = dir.join("vocab.txt");
        if let Ok(text) = std::fs::read(&vocabulary)
            && text != include_bytes!("../data/vocab.txt")
        {
            return Err(ModelError::OtherVocabulary { path: vocabulary });
        }
        let digest = hex(&Sha256::digest(&bytes));
        let unusable = |why: String| ModelError::Unusable { path: path.clone(), why };
        let graph =
            ModelOptions::with_all_ops().load(bytes).map_err(|e| unusable(e.to_string()))?;
        let node = |name: &str| graph.node_id(name).map_err(|e| unusable(e.to_string()));
        let (input_ids, attention_mask) = (node("input_ids")?, node("attention_mask")?);
        let token_types = graph.find_node("token_type_ids");
        let output =
            *graph.output_ids().first().ok_or_else(|| unusable("it has no output".to_owned()))?;
        let mut model = Model {
            graph,
            pool: Arc::new(ThreadPool::with_num_threads(1)),
            input_ids,
            attention_mask,
            token_types,
            output,
            dimensions: 0,
            id: String::new(),
        };
        let probe = model.embed(&["network"]).map_err(|e| unusable(e.to_string()))?;
        model.dimensions = probe.first().map_or(0, Vec::len);
        let short = digest.get(..8).unwrap_or("");
        model.id = if digest == MINILM_SHA256 {
            format!("all-MiniLM-L6-v2/int8@{short}")
        } else {
            format!("custom-{}@{short}", model.dimensions)
        };
        Ok(model)
    }

    /// As [`Model::load`], and refuses a model that does not fit `profile`.
    pub fn load_for(dir: &Path, profile: Profile) -> Result<Model, ModelError> {
        let model = Model::load(dir)?;
        let expected = profile.model_dimensions();
        if model.dimensions == expected {
            return Ok(model);
        }
        Err(ModelError::OtherWidth {
            path: dir.join(MODEL_FILE),
            profile: profile.name(),
            expected,
            found: model.dimensions,
        })
    }

    /// Names the weights: `all-MiniLM-L6-v2/int8@8199be6f`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Components of its vectors.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// One unit vector a text. Texts run together are padded to the longest: give texts of like
    /// length, or one at a time.
    pub fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        let failed = |why: String| ModelError::Failed { why };
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let tokenizer = WordPiece::embedded();
        let tokens: Vec<Vec<u32>> =
            texts.iter().map(|t| tokenizer.encode_for_model(t, TOKENS_MAX)).collect();
        let (rows, width) = (tokens.len(), tokens.iter().map(Vec::len).max().unwrap_or(0));
        let mut ids = vec![0_i32; rows * width];
        let mut mask = vec![0_i32; rows * width];
        for ((text, ids), mask) in
            tokens.iter().zip(ids.chunks_mut(width)).zip(mask.chunks_mut(width))
        {
            for ((token, id), seen) in text.iter().zip(ids).zip(mask) {
                (*id, *seen) = (i32::try_from(*token).unwrap_or(0), 1);
            }
        }
        let mut inputs = vec![
            (self.input_ids, NdTensor::from_data([rows, width], ids).into()),
            (self.attention_mask, NdTensor::from_data([rows, width], mask).into()),
        ];
        if let Some(types) = self.token_types {
            inputs.push((types, NdTensor::<i32, 2>::zeros([rows, width]).into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let [output] = self
            .graph
            .run_n(inputs, [self.output], Some(options))
            .map_err(|e| failed(e.to_string()))?;
        let (shape, states) =
            output.into_shape_vec::<f32, 3>().map_err(|e| failed(e.to_string()))?;
        let [out_rows, out_width, dims] = shape;
        if out_rows != rows || out_width != width || dims == 0 {
            return Err(failed(format!("its output is {shape:?} for {rows} texts")));
        }
        Ok(tokens
            .iter()
            .zip(states.chunks(width * dims))
            .map(|(tokens, states)| mean(&states[..tokens.len() * dims], dims))
            .collect())
    }
}

impl Embed for Model {
    fn embed(&mut self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        Model::embed(self, texts)
    }
    fn id(&self) -> &str {
        Model::id(self)
    }
}

/// The unit vector along the mean of the tokens' states.
fn mean(states: &[f32], dims: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; dims];
    for state in states.chunks(dims) {
        for (s, v) in sum.iter_mut().zip(state) {
            *s += v;
        }
    }
    let norm = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm > 0.0 {
        sum.iter_mut().for_each(|v| *v /= norm);
    }
    sum
}

/// Where a model is looked for, in this order. The arguments are the environment's:
/// `$GHOSTBRIDGE_MODEL_DIR`, the data folder, and `$XDG_DATA_HOME` or its default.
#[must_use]
pub fn default_model_dirs(
    named: Option<&Path>,
    data_dir: Option<&Path>,
    xdg_data_home: Option<&Path>,
) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = named.map(Path::to_owned).into_iter().collect();
    dirs.extend(data_dir.map(|d| d.join("model")));
    dirs.extend(xdg_data_home.map(|d| d.join("ghostbridge/model")));
    dirs.push(PathBuf::from("/usr/local/share/ghostbridge/model"));
    dirs.push(PathBuf::from("/usr/share/ghostbridge/model"));
    dirs
}

/// The first of `candidates` that holds a model.
#[must_use]
pub fn find_model_dir(candidates: &[PathBuf]) -> Option<PathBuf> {
    candidates.iter().find(|dir| dir.join(MODEL_FILE).is_file()).cloned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
