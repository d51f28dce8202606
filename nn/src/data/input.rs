//! Reading a file that may or may not be gzipped.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::DataError;
use crate::files::{self, HEAD, recognised};
use crate::memory;

const BUFFER: usize = 1 << 16;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a reader takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// In words.
    pub(super) words: &'static str,
    /// What [`recognised`] calls it, where it does.
    pub(super) kind: Option<&'static str>,
}

/// The contents of a file, decompressed if they start like gzip.
pub(super) struct Input {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    gzip: bool,
    offset: u64,
    /// The bytes that are read at most, since a small file may decompress to any number.
    most: u64,
}

impl Input {
    pub(super) fn open(path: &Path, expected: Expected) -> Result<Self, DataError> {
        Self::new(path, files::open(path)?, expected)
    }

    /// Reads `source`; `path` is how errors call it.
    pub(super) fn new(
        path: &Path,
        mut source: impl Read + 'static,
        expected: Expected,
    ) -> Result<Self, DataError> {
        let path = path.to_owned();
        let mut head = Vec::new();
        if let Err(cause) = source.by_ref().take(HEAD as u64).read_to_end(&mut head) {
            return Err(DataError::Io { path, offset: 0, cause });
        }
        let Expected { words, kind } = expected;
        let gzip = head.starts_with(&GZIP_MAGIC);
        if let Some(found) = recognised(&head).filter(|&found| !gzip && Some(found) != kind) {
            return Err(DataError::Format { path, found, expected: words });
        }
        let whole = Cursor::new(head).chain(BufReader::with_capacity(BUFFER, source));
        let reader: Box<dyn BufRead> = if gzip {
            // The multi-member decoder also reads on to the end of the file,
            // so data after the first member does not go unnoticed.
            let decoder = MultiGzDecoder::new(whole);
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        } else {
            Box::new(whole)
        };
        // A quarter, since the numbers that are made of them take four times as much.
        Ok(Self { path, reader, gzip, offset: 0, most: memory::available() / 4 })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads `limit` bytes, or fewer if the file ends first. Memory grows with
    /// what is read, whatever the limit says.
    pub(super) fn read(&mut self, limit: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let left = self.most.saturating_sub(self.offset);
        let outcome = self.reader.by_ref().take(limit.min(left)).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        outcome.map_err(|cause| self.failure(cause))?;
        if limit > left && bytes.len() as u64 == left {
            return Err(DataError::TooLarge { path: self.path(), most: self.most });
        }
        Ok(bytes)
    }

    /// Replaces `line` by the next line with its end, of at most `most` bytes; a longer one is cut
    /// off there. False if there is none.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>, most: usize) -> Result<bool, DataError> {
        line.clear();
        let outcome = self.reader.by_ref().take(most as u64).read_until(b'\n', line);
        self.offset += line.len() as u64;
        outcome.map_err(|cause| self.failure(cause))?;
        if self.offset > self.most {
            return Err(DataError::TooLarge { path: self.path(), most: self.most });
        }
        Ok(!line.is_empty())
    }

    /// The error to report when `error` was found in the contents: bytes from
    /// a damaged gzip file are not to blame, so its checksum is verified first.
    pub(super) fn blame(mut self, error: DataError) -> DataError {
        if !self.gzip {
            return error;
        }
        loop {
            let length = match self.reader.fill_buf() {
                Ok([]) => return error,
                Ok(bytes) => bytes.len(),
                Err(cause) => return self.failure(cause),
            };
            self.reader.consume(length);
            self.offset += length as u64;
        }
    }

    fn failure(&self, cause: io::Error) -> DataError {
        let (path, offset) = (self.path(), self.offset);
        // The kinds the decompressor uses; any other comes from the system.
        let corrupt = matches!(
            cause.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        );
        if self.gzip && corrupt {
            DataError::CorruptGzip { path, offset, cause }
        } else {
            DataError::Io { path, offset, cause }
        }
    }
}
