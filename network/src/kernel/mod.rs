//! The fast forward pass, from packed words.
//!
//! [`Model::load`] reads each word that is not streamed once and brings the parameters into the form that the inner loops
//! like; [`Model::forward`] then runs any number of images, and asks for streamed words where an input is not zero.
//!
//! The machine that the loops are written for is Stylus: a metered WASM VM where a multiplication of 64 bits costs little
//! more than an addition, a load four times as much, a store six times, and a branch twenty times. So several small
//! integers share a word (SIMD within a register), weights stay in locals, loops are unrolled, and there is no branch for
//! a single value. The same code is fast on other machines for the same reasons.
//!
//! | file | what it holds |
//! |---|---|
//! | `load` | from header and words to parameters; where activations lie |
//! | `bits` | the words as a stream of fields |
//! | `memory` | planes of activations, and unchecked access to them |
//! | `block` | the inner loops of convolutions: 16-bit lanes |
//! | `conv` | convolutions around them |
//! | `scale` | requantization, four lanes at a time |
//! | `dense` | dense layers and logits |
//! | `pool` | pools, and what residual layers add |

use alloc::vec::Vec;

mod bits;
mod block;
mod conv;
mod dense;
mod load;
mod memory;
mod pool;
mod scale;
#[cfg(test)]
mod tests;

use crate::ImageLengthError;
use crate::header::{Header, Kind, Record};
use crate::layer::{Input, Weights};
use crate::pack::Word;
use crate::room::Zero;
use bits::Bits;
use load::Step;
use memory::{Planes, set_value, store, value};

/// Where packed words come from: a slice, or the storage of a contract.
pub trait WordSource {
    /// Reads the word at `index`, which is below the header's word count.
    fn read(&mut self, index: u32, to: &mut Word);
}

impl WordSource for &[Word] {
    fn read(&mut self, index: u32, to: &mut Word) {
        *to = self[index as usize];
    }
}

/// A part of the work, for a [`Probe`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The words that are not streamed were read.
    Words,
    /// They were brought into the kernel's form.
    Unpack,
    /// The image was brought into the kernel's form.
    Image,
    /// The layer of this index was computed; a pool may be computed along with the convolution before it.
    Layer(usize),
}

/// Who is told when a part of the work ends; `()` is told nothing, at no cost.
pub trait Probe {
    /// The work since the part before was `part`.
    fn end(&mut self, part: Part);
}

impl Probe for () {
    fn end(&mut self, _: Part) {}
}

/// The logits of one image: [`Model::load`] and [`Model::forward`].
///
/// # Errors
/// [`ImageLengthError`] where the image is not `channels · height · width` bytes.
pub fn forward(
    header: &Header,
    words: &mut impl WordSource,
    image: &[u8],
) -> Result<Vec<i32>, ImageLengthError> {
    Ok(Model::load(header.clone(), words).forward(words, image)?.to_vec())
}

/// A network whose parameters are ready for the loops, and the memory to run it.
pub struct Model {
    header: Header,
    steps: Vec<Step>,
    parameters: Vec<Parameters>,
    /// The words that are not streamed.
    bits: Bits,
    /// Activations, then scratch memory of the layer at work.
    memory: Vec<u64>,
    /// Index of the first scratch word.
    scratch: usize,
    logits: Vec<i32>,
}

/// The parameters of a layer.
struct Parameters {
    weights: Weights,
    outputs: Vec<Output>,
    /// Whether some accumulator may not fit 16 bits.
    wide: bool,
    /// Whether the weights are streamed.
    streamed: bool,
    /// The bit at which the weights begin, or the word where they are streamed.
    at: usize,
    /// Ternary weights as fields: all, or where they are streamed a row.
    fields: Bits,
    /// The words that a row of streamed weights touches.
    buffer: Bits,
    /// The weights of a convolution, unpacked.
    words: Vec<u64>,
}

impl Parameters {
    /// The fields of weights that are not streamed; `head` are the words that are not.
    const fn held<'a>(&'a self, head: &'a Bits) -> &'a Bits {
        match self.weights {
            Weights::Ternary => &self.fields,
            _ => head,
        }
    }
}

/// What an output (plane) has of its own, beside weights.
#[derive(Clone, Copy)]
struct Output {
    /// Shifted.
    bias: i32,
    multiplier: u16,
}

// SAFETY: integers.
unsafe impl Zero for Output {}

impl Model {
    /// Reads the words of a model that are not streamed, each once.
    pub fn load(header: Header, words: &mut impl WordSource) -> Self {
        Self::load_probed(header, words, &mut ())
    }

    /// [`Model::load`] under the eyes of a probe.
    pub fn load_probed(
        header: Header,
        words: &mut impl WordSource,
        probe: &mut impl Probe,
    ) -> Self {
        let head_words = header.head_words();
        let mut bits = Bits::of_words(head_words as usize);
        let mut word = [0; 32];
        for index in 0..head_words {
            words.read(index, &mut word);
            bits.set_word(index as usize, &word);
        }
        probe.end(Part::Words);
        let model = load::load(header, bits, head_words);
        probe.end(Part::Unpack);
        model
    }

    /// Input and layers.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The logits of one image, equal to [`crate::reference::forward`]'s. `words` is asked for streamed words only, for
    /// each at most once.
    ///
    /// # Errors
    /// [`ImageLengthError`] where the image is not `channels · height · width` bytes.
    pub fn forward(
        &mut self,
        words: &mut impl WordSource,
        image: &[u8],
    ) -> Result<&[i32], ImageLengthError> {
        self.forward_probed(words, image, &mut ())
    }

    /// [`Model::forward`] under the eyes of a probe.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn forward_probed(
        &mut self,
        words: &mut impl WordSource,
        image: &[u8],
        probe: &mut impl Probe,
    ) -> Result<&[i32], ImageLengthError> {
        let (got, expected) = (image.len(), self.header.image_len());
        if got != expected {
            return Err(ImageLengthError { got, expected });
        }
        let memory = self.memory.as_mut_ptr();
        // SAFETY: the scratch memory begins inside the memory.
        let scratch = unsafe { memory.add(self.scratch) };
        let memory: *mut u8 = memory.cast();
        // SAFETY: all planes and the scratch memory of every step were laid out in the memory.
        unsafe {
            let input = self.header.input();
            load_image(input, image, &self.steps[0].input, memory);
            probe.end(Part::Image);
            for step in &self.steps {
                let stage = &self.header.stages()[step.stage];
                let Step { input, output, .. } = step;
                let Record { kind, size, shift, requantize, .. } = &stage.record;
                let max = u16::from(requantize.max());
                match kind {
                    Kind::MaxPool => pool::run(input, output, *size, None, memory),
                    Kind::SumPool => pool::run(input, output, *size, Some(*shift), memory),
                    Kind::Conv => {
                        let parameters = &self.parameters[stage.parameters.unwrap_or(0)];
                        conv::run(parameters, stage, step, memory, scratch);
                        if requantize.residual {
                            pool::add(input, output, max, memory);
                        }
                    }
                    Kind::Dense | Kind::Logits | Kind::Again => {
                        let parameters = &mut self.parameters[stage.parameters.unwrap_or(0)];
                        let (first, count) = (input.start, input.shape.len());
                        let total = dense::run(
                            parameters, &self.bits, first, count, memory, words, scratch,
                        );
                        for (j, output_j) in parameters.outputs.iter().enumerate() {
                            let product = dense::product(parameters.weights, j, total, scratch);
                            let acc = output_j.bias.wrapping_add(product);
                            if let Kind::Logits = kind {
                                self.logits[j] = acc;
                                continue;
                            }
                            let activation = requantize.apply(acc, output_j.multiplier);
                            let mut activation = u16::from(activation);
                            if requantize.residual {
                                activation += value(memory, first + j);
                                activation = activation.min(max);
                            }
                            set_value(memory, output.first(j), activation);
                        }
                    }
                }
                probe.end(Part::Layer(step.stage));
            }
        }
        Ok(&self.logits)
    }
}

/// The part of the image that the first layer sees, `pixel >> (8 − bits)`, as planes.
///
/// # Safety
/// `memory` holds `planes`, whose shape is the cropped input's; the image is as long as the input says.
unsafe fn load_image(input: Input, image: &[u8], planes: &Planes, memory: *mut u8) {
    let crop = input.crop as usize;
    let (height, width) = (input.shape.height as usize, input.shape.width as usize);
    let shift = 8 - u32::from(input.bits);
    let mask = scale::ONES * (255 >> shift);
    let columns = width - 2 * crop;
    for channel in 0..input.shape.channels as usize {
        for row in 0..height - 2 * crop {
            let from = (channel * height + row + crop) * width + crop;
            let mut to = planes.first(channel) + row * planes.pitch();
            let (fours, rest) = image[from..from + columns].as_chunks::<4>();
            for four in fours {
                let four = u64::from(u32::from_le_bytes(*four));
                let two = (four | four << 16) & 0x0000_ffff_0000_ffff;
                let lanes = (two | two << 8) >> shift & mask;
                // SAFETY: four columns of the row.
                unsafe { store(memory, 2 * to, lanes) };
                to += 4;
            }
            for pixel in rest {
                // SAFETY: a column of the row.
                unsafe { set_value(memory, to, u16::from(*pixel) >> shift) };
                to += 1;
            }
        }
    }
}
