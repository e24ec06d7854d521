// Standard input and output of exports and imports, and the file of --output: long streams of
// bytes, never a terminal. A file that the command has made goes again if it fails.
import { constants, createReadStream, fstatSync, ftruncate, readFileSync, write } from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { isatty } from 'node:tty'
import { promisify } from 'node:util'
import { isSwarmdiskError, SwarmdiskError } from '../../base/errors.js'
import { TRANSFER_PIECE_BYTES } from '../../base/limits.js'

const STDIN = 0
const STDOUT = 1
const FULL_PIPE_MS = 10

export interface Sink {
  /** Places of it may be written, and what is left out is a hole. */
  readonly sparse: boolean
  /** At its end; or at an offset, if it is sparse. */
  write(bytes: Uint8Array, offset?: number): Promise<void>
  /** It has so many bytes. Only if it is sparse. */
  setLength(bytes: number): Promise<void>
  close(): Promise<void>
  /** Instead of close(): what was written is worth nothing. */
  discard(): Promise<void>
}

/** Or 'bad-input'. */
export async function openSink(output: string | undefined): Promise<Sink> {
  if (output !== undefined) return fileSink(output)
  if (isatty(STDOUT)) {
    throw new SwarmdiskError(
      'bad-input',
      'This would fill the terminal: send the output to a file or a program, or give --output.',
    )
  }
  return stdoutSink()
}

async function fileSink(path: string): Promise<Sink> {
  const file = await open(path, 'wx').catch((error: unknown) => {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    const what = code === 'EEXIST' ? 'exists already' : `cannot be made (${code})`
    throw new SwarmdiskError('bad-input', `File ${path} ${what}: give another one to --output.`)
  })
  return {
    ...descriptorSink(file.fd, { sparse: true }),
    close: async () => {
      await reported(file.sync())
      await file.close()
    },
    discard: async () => {
      await file.close()
      await unlink(path)
    },
  }
}

function stdoutSink(): Sink {
  const stays = (): Promise<void> => Promise.resolve()
  return { ...descriptorSink(STDOUT, { sparse: mayBeSparse() }), close: stays, discard: stays }
}

/** An empty file that was opened with ">": with ">>" all writes go to its end. */
function mayBeSparse(): boolean {
  const stat = fstatSync(STDOUT)
  if (!stat.isFile() || stat.size > 0) return false
  const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${STDOUT}`, 'utf8'))
  return flags !== null && (parseInt(flags[1] ?? '0', 8) & constants.O_APPEND) === 0
}

/** In a thread: a slow reader of a pipe must not keep the process from saying that it lives. */
function descriptorSink(
  fd: number,
  { sparse }: { readonly sparse: boolean },
): Pick<Sink, 'sparse' | 'write' | 'setLength'> {
  let end = 0
  return {
    sparse,
    async write(bytes, offset) {
      const place = sparse ? (offset ?? end) : null
      for (let done = 0; done < bytes.length;) {
        const position = place === null ? null : place + done
        done += await reported(writeSome(fd, bytes.subarray(done), position))
      }
      end = Math.max(end, (place ?? end) + bytes.length)
    },
    setLength: bytes => reported(promisify(ftruncate)(fd, bytes)),
  }
}

/** The number of bytes that were written. */
function writeSome(fd: number, bytes: Uint8Array, position: number | null): Promise<number> {
  return new Promise((resolve, reject) => {
    const attempt = (): void => {
      write(fd, bytes, 0, bytes.length, position, (error, written) => {
        if (!error) resolve(written)
        // A pipe that somebody has made non-blocking is full.
        else if (error.code === 'EAGAIN') setTimeout(attempt, FULL_PIPE_MS)
        else reject(error)
      })
    }
    attempt()
  })
}

async function reported<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    if (code === 'EPIPE') {
      throw new SwarmdiskError('aborted', 'Whoever read the output has ended: nothing is written.')
    }
    const full = code === 'ENOSPC' || code === 'EDQUOT'
    throw new SwarmdiskError(
      full ? 'disk-full' : 'disk-error',
      full ? 'The output does not fit its disk: make space.' : `The output failed with ${code}.`,
      { cause: error },
    )
  }
}

export interface Source {
  /** Of a regular file; null where only the end tells. */
  readonly bytes: number | null
  readonly stream: AsyncIterable<Uint8Array>
}

/** Or 'bad-input'. */
export function openSource(what: string): Source {
  if (isatty(STDIN)) {
    throw new SwarmdiskError(
      'bad-input',
      `${what} is read from the standard input, which is a terminal: add "< FILE".`,
    )
  }
  const stat = fstatSync(STDIN)
  if (!stat.isFile()) return { bytes: null, stream: readable(process.stdin) }
  const options = { fd: STDIN, autoClose: false, highWaterMark: TRANSFER_PIECE_BYTES }
  return { bytes: stat.size, stream: readable(createReadStream('', options)) }
}

async function* readable(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of stream) yield bytes as Uint8Array
  } catch (error) {
    if (isSwarmdiskError(error)) throw error
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw new SwarmdiskError('bad-input', `The standard input cannot be read (${code}).`, {
      cause: error,
    })
  }
}
