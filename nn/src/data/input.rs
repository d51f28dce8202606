//! Reading a file that may or may not be gzipped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::DataError;

const BUFFER: usize = 1 << 16;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The contents of a file, decompressed if they start like gzip.
pub(super) struct Input {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    gzip: bool,
    offset: u64,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        match File::open(path) {
            Ok(file) => Self::new(path, file),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(DataError::FileNotFound { path: path.to_owned() })
            }
            Err(source) => Err(DataError::Io { path: path.to_owned(), offset: 0, source }),
        }
    }

    /// Reads `source`; `path` is how errors call it.
    pub(super) fn new(path: &Path, mut source: impl Read + 'static) -> Result<Self, DataError> {
        let path = path.to_owned();
        let mut head = Vec::new();
        if let Err(source) = source.by_ref().take(2).read_to_end(&mut head) {
            return Err(DataError::Io { path, offset: 0, source });
        }
        let gzip = head == GZIP_MAGIC;
        let whole = Cursor::new(head).chain(BufReader::with_capacity(BUFFER, source));
        let reader: Box<dyn BufRead> = if gzip {
            // The multi-member decoder also reads on to the end of the file,
            // so data after the first member does not go unnoticed.
            let decoder = MultiGzDecoder::new(whole);
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        } else {
            Box::new(whole)
        };
        Ok(Self { path, reader, gzip, offset: 0 })
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
        let outcome = self.reader.by_ref().take(limit).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        match outcome {
            Ok(_) => Ok(bytes),
            Err(source) => Err(self.failure(source)),
        }
    }

    /// Replaces `line` by the next line with its end; false if there is none.
    pub(super) fn read_line(&mut self, line: &mut Vec<u8>) -> Result<bool, DataError> {
        line.clear();
        let outcome = self.reader.read_until(b'\n', line);
        self.offset += line.len() as u64;
        match outcome {
            Ok(count) => Ok(count > 0),
            Err(source) => Err(self.failure(source)),
        }
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
                Err(source) => return self.failure(source),
            };
            self.reader.consume(length);
            self.offset += length as u64;
        }
    }

    fn failure(&self, source: io::Error) -> DataError {
        let (path, offset) = (self.path(), self.offset);
        // The kinds the decompressor uses; any other comes from the system.
        let corrupt = matches!(
            source.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        );
        if self.gzip && corrupt {
            DataError::CorruptGzip { path, offset, source }
        } else {
            DataError::Io { path, offset, source }
        }
    }
}
