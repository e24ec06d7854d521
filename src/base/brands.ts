// Numbers and strings that must not be mixed up, as branded types. A plain number becomes one of
// these in one of the functions here, which assert its range; codecs check ranges of what comes
// from outside before they call them.
import { assert, AssertionFailure } from './assert.js'

declare const brand: unique symbol
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** The number of a configuration: grows by one with every committed change, below 2^30. */
export type Epoch = Brand<number, 'Epoch'>
/** Raised whenever a shard resumes from replicas that lost their memory (design §5). */
export type Generation = Brand<number, 'Generation'>
/** Raised by a server at every start. */
export type Incarnation = Brand<number, 'Incarnation'>
/** Order of the writes of one shard within one allocation; starts at 1. */
export type Sequence = Brand<number, 'Sequence'>
/** Numbers a client's writes, unique and growing over the life of the client's identity. */
export type RequestNumber = Brand<number, 'RequestNumber'>
/** Never reused within a cluster; starts at 1. */
export type VolumeId = Brand<number, 'VolumeId'>
export type ShardIndex = Brand<number, 'ShardIndex'>
/** Extent of a volume, 4 MiB each. */
export type ExtentIndex = Brand<number, 'ExtentIndex'>
/** Block of 4096 bytes, counted from the start of a volume or of a shard, as the name says. */
export type BlockIndex = Brand<number, 'BlockIndex'>
export type ByteOffset = Brand<number, 'ByteOffset'>
export type ByteCount = Brand<number, 'ByteCount'>
/** A Noise static public key: 64 lower-case hexadecimal digits. */
export type PeerId = Brand<string, 'PeerId'>
/** Random name of a cluster, not secret: 32 lower-case hexadecimal digits. */
export type ClusterId = Brand<string, 'ClusterId'>
/** Time of a Clock, not of the calendar. */
export type Milliseconds = Brand<number, 'Milliseconds'>

export const EPOCH_LIMIT = 2 ** 30

/** The sentence is made where it is needed: this is called for each field of each message. */
function integer(value: number, limit: number, what: string): number {
  const inRange = Number.isSafeInteger(value) && value >= 0 && value < limit
  if (!inRange) throw new AssertionFailure(`${what} out of range: ${value}`)
  return value
}

export const epoch = (n: number): Epoch => integer(n, EPOCH_LIMIT, 'epoch') as Epoch
export const generation = (n: number): Generation => integer(n, 2 ** 32, 'generation') as Generation
export const incarnation = (n: number): Incarnation =>
  integer(n, 2 ** 48, 'incarnation') as Incarnation
export const sequence = (n: number): Sequence => integer(n, 2 ** 53, 'sequence') as Sequence
export const requestNumber = (n: number): RequestNumber =>
  integer(n, 2 ** 53, 'request number') as RequestNumber
export const volumeId = (n: number): VolumeId => integer(n, 2 ** 32, 'volume id') as VolumeId
export const shardIndex = (n: number): ShardIndex => integer(n, 1024, 'shard index') as ShardIndex
export const extentIndex = (n: number): ExtentIndex =>
  integer(n, 2 ** 40, 'extent index') as ExtentIndex
export const blockIndex = (n: number): BlockIndex =>
  integer(n, 2 ** 50, 'block index') as BlockIndex
export const byteOffset = (n: number): ByteOffset =>
  integer(n, 2 ** 53, 'byte offset') as ByteOffset
export const byteCount = (n: number): ByteCount => integer(n, 2 ** 53, 'byte count') as ByteCount
export const milliseconds = (n: number): Milliseconds => n as Milliseconds

export function peerId(hex: string): PeerId {
  assert(/^[0-9a-f]{64}$/.test(hex), 'a peer id has 64 hexadecimal digits')
  return hex as PeerId
}

export function clusterId(hex: string): ClusterId {
  assert(/^[0-9a-f]{32}$/.test(hex), 'a cluster id has 32 hexadecimal digits')
  return hex as ClusterId
}
