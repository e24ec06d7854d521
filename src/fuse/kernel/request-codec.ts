// What the kernel asks: one frame is one request. Every length and number is checked here, once;
// what comes out can be trusted as far as types go, and names nothing that has to exist. Pure.
import { REQUEST_BYTES_MAX } from '../../base/limits.js'
import { FALLOCATE, OPCODE, REQUEST_HEADER_BYTES, SET, WRITE_FIELDS_BYTES } from './protocol.js'

/** What an answer has to name. */
export interface RequestHeader {
  /** The number of the request has 64 bits; these are its halves. */
  readonly uniqueLow: number
  readonly uniqueHigh: number
  readonly node: number
}

/** A name in a directory, or with null the node itself. */
export interface Place {
  readonly node: number
  readonly name: string | null
}

export interface Forgotten {
  readonly node: number
  readonly count: number
}

export type Operation =
  | InitOperation
  | { readonly kind: 'lookup'; readonly name: string }
  | { readonly kind: 'forget'; readonly nodes: readonly Forgotten[] }
  | { readonly kind: 'getattr' | 'statfs' | 'opendir' | 'fsyncdir' | 'destroy' }
  /** `size` null: none is asked for. `others`: something else is to change, too. */
  | { readonly kind: 'setattr'; readonly size: number | null; readonly others: boolean }
  | { readonly kind: 'open'; readonly write: boolean }
  | Part<'read'>
  | Part<'readdir'>
  /** `data` lies within the frame. */
  | {
      readonly kind: 'write'
      readonly handle: number
      readonly offset: number
      readonly data: Buffer
    }
  | OfHandle<'fsync'>
  | OfHandle<'flush'>
  | OfHandle<'release'>
  | OfHandle<'releasedir'>
  | {
      readonly kind: 'zero'
      readonly handle: number
      readonly offset: number
      readonly length: number
      readonly keepSize: boolean
    }
  /** `of`: the key of the request that is interrupted, as keyOf() gives it. */
  | { readonly kind: 'interrupt'; readonly of: number }
  /** Would change names; what it would touch. */
  | { readonly kind: 'change'; readonly places: readonly Place[] }
  /** Of fallocate: only holes and zeroes can be made. */
  | { readonly kind: 'unsupported' }
  /** An operation that we do not have. */
  | { readonly kind: 'unknown' }
  /** One that no kernel of our version asks for. */
  | { readonly kind: 'malformed' }

/** `size` bytes from `offset` on; of a directory, from that entry on. */
export interface Part<Kind> {
  readonly kind: Kind
  readonly handle: number
  readonly offset: number
  readonly size: number
}

interface OfHandle<Kind> {
  readonly kind: Kind
  readonly handle: number
}

export interface InitOperation {
  readonly kind: 'init'
  readonly major: number
  readonly minor: number
  readonly readAhead: number
  readonly flags: number
}

export interface Request {
  readonly header: RequestHeader
  readonly operation: Operation
}

const MALFORMED: Operation = { kind: 'malformed' }

/** By this number a request is known while it is in flight; the kernel counts from zero. */
export function keyOf({ uniqueLow, uniqueHigh }: RequestHeader): number {
  return uniqueHigh * 2 ** 32 + uniqueLow
}

/** Null: not even a request, so that nobody can be answered. */
export function decodeRequest(frame: Buffer): Request | null {
  if (frame.length < REQUEST_HEADER_BYTES) return null
  const header = {
    uniqueLow: frame.readUInt32LE(8),
    uniqueHigh: frame.readUInt32LE(12),
    node: number64(frame, 16),
  }
  // Extensions stand behind everything else; we asked for none.
  if (frame.readUInt32LE(0) !== frame.length || frame.readUInt16LE(36) !== 0) {
    return { header, operation: MALFORMED }
  }
  const body = frame.subarray(REQUEST_HEADER_BYTES)
  return { header, operation: decodeBody(frame.readUInt32LE(4), body, header.node) }
}

interface Shape {
  /** Of the body, without names and data. */
  readonly bytes: number
  readonly decode: (body: Buffer, node: number) => Operation
}

function plain(kind: 'getattr' | 'statfs' | 'opendir' | 'fsyncdir' | 'destroy'): Shape {
  const operation: Operation = { kind }
  return { bytes: 0, decode: () => operation }
}

function ofHandle(kind: 'fsync' | 'flush' | 'release' | 'releasedir'): Shape {
  return { bytes: 8, decode: body => ({ kind, handle: number64(body, 0) }) }
}

function part(kind: 'read' | 'readdir'): Shape {
  return {
    bytes: 40,
    decode: body => {
      const size = body.readUInt32LE(16)
      if (size > REQUEST_BYTES_MAX) return MALFORMED
      return { kind, handle: number64(body, 0), offset: number64(body, 8), size }
    },
  }
}

/** A change of one name in the directory, which stands behind `bytes` bytes of other fields. */
function change(bytes: number): Shape {
  return {
    bytes,
    decode: (body, node) => ({
      kind: 'change',
      places: [{ node, name: nameAt(body, bytes) }],
    }),
  }
}

function rename(bytes: number): Shape {
  return {
    bytes,
    decode: (body, node) => {
      const from = nameAt(body, bytes)
      const to = nameAt(body, bytes + Buffer.byteLength(from) + 1)
      const target = number64(body, 0)
      return {
        kind: 'change',
        places: [
          { node, name: from },
          { node: target, name: to },
        ],
      }
    },
  }
}

const SHAPES: ReadonlyMap<number, Shape> = new Map<number, Shape>([
  [
    OPCODE.lookup,
    { bytes: 1, decode: body => ({ kind: 'lookup' as const, name: nameAt(body, 0) }) },
  ],
  [
    OPCODE.forget,
    {
      bytes: 8,
      decode: (body, node) => ({ kind: 'forget', nodes: [{ node, count: number64(body, 0) }] }),
    },
  ],
  [OPCODE.getattr, plain('getattr')],
  [OPCODE.setattr, { bytes: 88, decode: decodeSetattr }],
  [OPCODE.symlink, change(0)],
  [OPCODE.mknod, change(16)],
  [OPCODE.mkdir, change(8)],
  [OPCODE.unlink, change(0)],
  [OPCODE.rmdir, change(0)],
  [OPCODE.rename, rename(8)],
  [OPCODE.link, { bytes: 8, decode: decodeLink }],
  [
    OPCODE.open,
    { bytes: 8, decode: body => ({ kind: 'open', write: (body.readUInt32LE(0) & 3) !== 0 }) },
  ],
  [OPCODE.read, part('read')],
  [OPCODE.write, { bytes: WRITE_FIELDS_BYTES, decode: decodeWrite }],
  [OPCODE.statfs, plain('statfs')],
  [OPCODE.release, ofHandle('release')],
  [OPCODE.fsync, ofHandle('fsync')],
  [OPCODE.flush, ofHandle('flush')],
  [OPCODE.init, { bytes: 16, decode: decodeInit }],
  [OPCODE.opendir, plain('opendir')],
  [OPCODE.readdir, part('readdir')],
  [OPCODE.releasedir, ofHandle('releasedir')],
  [OPCODE.fsyncdir, plain('fsyncdir')],
  [OPCODE.create, change(16)],
  [OPCODE.interrupt, { bytes: 8, decode: body => ({ kind: 'interrupt', of: number64(body, 0) }) }],
  [OPCODE.destroy, plain('destroy')],
  [OPCODE.batchForget, { bytes: 8, decode: decodeBatchForget }],
  [OPCODE.fallocate, { bytes: 32, decode: decodeFallocate }],
  [OPCODE.rename2, rename(16)],
])

function decodeBody(opcode: number, body: Buffer, node: number): Operation {
  const shape = SHAPES.get(opcode)
  if (!shape) return { kind: 'unknown' }
  return body.length < shape.bytes ? MALFORMED : shape.decode(body, node)
}

function decodeInit(body: Buffer): Operation {
  return {
    kind: 'init',
    major: body.readUInt32LE(0),
    minor: body.readUInt32LE(4),
    readAhead: body.readUInt32LE(8),
    flags: body.readUInt32LE(12),
  }
}

/**
 * Cutting a file changes its times as well, which the kernel says or does not say; so they count
 * only where they are asked for alone.
 */
function decodeSetattr(body: Buffer): Operation {
  const valid = body.readUInt32LE(0)
  const size = (valid & SET.size) === 0 ? null : number64(body, 16)
  const times = size === null ? SET.accessTime | SET.modificationTime : 0
  return { kind: 'setattr', size, others: (valid & (SET.mode | SET.uid | SET.gid | times)) !== 0 }
}

function decodeLink(body: Buffer, node: number): Operation {
  const places = [
    { node: number64(body, 0), name: null },
    { node, name: nameAt(body, 8) },
  ]
  return { kind: 'change', places }
}

function decodeWrite(body: Buffer): Operation {
  const data = body.subarray(WRITE_FIELDS_BYTES)
  if (body.readUInt32LE(16) !== data.length || data.length > REQUEST_BYTES_MAX) return MALFORMED
  return { kind: 'write', handle: number64(body, 0), offset: number64(body, 8), data }
}

function decodeBatchForget(body: Buffer): Operation {
  const count = body.readUInt32LE(0)
  if (body.length !== 8 + 16 * count) return MALFORMED
  const nodes = Array.from({ length: count }, (_, i) => ({
    node: number64(body, 8 + 16 * i),
    count: number64(body, 16 + 16 * i),
  }))
  return { kind: 'forget', nodes }
}

function decodeFallocate(body: Buffer): Operation {
  const mode = body.readUInt32LE(24)
  const keepSize = (mode & FALLOCATE.keepSize) !== 0
  const what = mode & ~FALLOCATE.keepSize
  if (what !== FALLOCATE.zeroRange && !(what === FALLOCATE.punchHole && keepSize)) {
    return { kind: 'unsupported' }
  }
  const range = { offset: number64(body, 8), length: number64(body, 16) }
  return { kind: 'zero', handle: number64(body, 0), ...range, keepSize }
}

/** Up to its NUL; a body without one is all name. */
function nameAt(body: Buffer, start: number): string {
  const end = body.indexOf(0, start)
  return body.toString('utf8', Math.min(start, body.length), end === -1 ? body.length : end)
}

/**
 * Numbers from 2^53 on lose their last digits, and so name nothing: no offset, handle or node of
 * ours is as large.
 */
function number64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at)
}
