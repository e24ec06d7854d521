// fuse-native's callbacks over the file operations. Data is copied on its way: the buffer of a
// request is libfuse's memory and may be used for another one as soon as it is answered, while a
// driver that gave up on a request may still hold what it was given.
import type { FuseHandlers, FuseStat, FuseStatfs } from 'fuse-native'
import { constants } from 'node:fs'
import { BLOCK_BYTES } from '../base/limits.js'
import { ERRNO_OF_BUG, errnoOf, errnoOfRefusal, type Subject } from './errno.js'
import {
  FILE_NAME_LENGTH_MAX,
  refusalOfChange,
  REFUSED_OPERATIONS,
  type FileAttributes,
  type FileOperations,
  type Space,
} from './file-operations.js'

export function fuseNativeHandlers(operations: FileOperations): FuseHandlers {
  return { ...namedHandlers(operations), ...openFileHandlers(operations), ...refusals() }
}

type NamedHandlers = Pick<
  FuseHandlers,
  'getattr' | 'fgetattr' | 'readdir' | 'statfs' | 'open' | 'truncate' | 'ftruncate' | 'fsyncdir'
>
type OpenFileHandlers = Pick<FuseHandlers, 'read' | 'write' | 'fsync' | 'flush' | 'release'>

function namedHandlers(operations: FileOperations): NamedHandlers {
  const getattr: FuseHandlers['getattr'] = (path, answer) => {
    void settle('name', () => statOf(operations.attributes(path)), answer)
  }
  const truncate: FuseHandlers['truncate'] = (path, size, answer) => {
    void settle('name', () => operations.resize(path, size), answer)
  }
  return {
    getattr,
    // Has to be there, although fuse-native calls getattr in its place.
    fgetattr: (path, _, answer) => getattr(path, answer),
    readdir(path, answer) {
      void settle('name', () => ['.', '..', ...operations.list(path)], answer)
    },
    statfs(_, answer) {
      void settle('name', () => statfsOf(operations.space()), answer)
    },
    open(path, flags, answer) {
      const write = (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0
      void settle('name', () => operations.open(path, { write }), answer)
    },
    truncate,
    ftruncate: (path, _, size, answer) => truncate(path, size, answer),
    fsyncdir: (_path, _dataOnly, _handle, answer) => answer(0),
  }
}

function openFileHandlers(operations: FileOperations): OpenFileHandlers {
  return {
    read: (_, handle, buffer, length, offset, answer) => {
      const work = async (): Promise<number> => {
        const own = Buffer.allocUnsafe(length)
        const count = await operations.read(handle, offset, own)
        own.copy(buffer, 0, 0, count)
        return count
      }
      void settle('open file', work, (errno, count) => answer(count ?? errno))
    },
    write: (_, handle, buffer, length, offset, answer) => {
      const own = Buffer.from(buffer.subarray(0, length))
      const work = (): Promise<number> => operations.write(handle, offset, own)
      void settle('open file', work, (errno, count) => answer(count ?? errno))
    },
    fsync: (_path, _dataOnly, handle, answer) => {
      void settle('open file', () => operations.sync(handle), answer)
    },
    flush(_, handle, answer) {
      void settle('open file', () => operations.close(handle), answer)
    },
    release(_, handle, answer) {
      void settle('open file', () => operations.release(handle), answer)
    },
  }
}

/** Without a handler the kernel would be told that the operation does not exist. */
function refusals(): Record<string, (...args: never[]) => void> {
  const refuse = (...args: never[]): void => {
    const answer = args.at(-1) as unknown as (errno: number) => void
    const paths = args.filter(argument => typeof argument === 'string')
    answer(errnoOfRefusal(refusalOfChange(paths)))
  }
  return Object.fromEntries(REFUSED_OPERATIONS.map(name => [name, refuse]))
}

/** Answers exactly once, whatever happens: the kernel waits for it without end. */
async function settle<T>(
  subject: Subject,
  work: () => T | Promise<T>,
  answer: (errno: number, value?: T) => void,
): Promise<void> {
  let value: T
  try {
    value = await work()
  } catch (error) {
    const errno = errnoOf(error, subject)
    answer(errno ?? ERRNO_OF_BUG)
    // A bug is no I/O error: it has to reach the top of the process.
    if (errno === null) throw error
    return
  }
  answer(0, value)
}

function statOf(attributes: FileAttributes): FuseStat {
  const { kind, permissions, size, links, time } = attributes
  return {
    mode: (kind === 'file' ? constants.S_IFREG : constants.S_IFDIR) | permissions,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    size,
    nlink: links,
    blksize: BLOCK_BYTES,
    blocks: Math.ceil(size / 512),
    atime: time,
    mtime: time,
    ctime: time,
  }
}

/** fuse-native carries 32 bits of each number, so large clusters count in larger units. */
function statfsOf(space: Space): FuseStatfs {
  let unit = BLOCK_BYTES
  while (space.bytes / unit >= 2 ** 32) unit *= 2
  return {
    bsize: unit,
    frsize: unit,
    blocks: Math.ceil(space.bytes / unit),
    bfree: 0,
    bavail: 0,
    files: space.files,
    ffree: 0,
    favail: 0,
    namemax: FILE_NAME_LENGTH_MAX,
  }
}
