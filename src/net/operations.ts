// The protocol as one table. Dispatch, docs/protocol.md and the fuzz test read it.
import type * as m from './messages.js'

/** Who an operation is for: types only; numbers, codecs, roles and epoch rules are in the table below. */
export interface OperationTypes {
  read: [m.ReadRequest, m.DataReply]
  write: [m.WriteRequest, m.DataReply]
  flush: [m.FlushRequest, m.DataReply]

  replicate: [m.Replicate, null]
  replicated: [m.Replicated, null]
  committed: [m.Committed, null]
  gather: [m.GatherRequest, m.GatherReply]
  sync: [m.SyncRequest, m.OkReply]
  summaries: [m.SummariesRequest, m.SummariesReply]
  'index-page': [m.IndexPageRequest, m.IndexPageReply]
  blocks: [m.BlocksRequest, m.BlocksReply]
  'caught-up': [m.CaughtUpRequest, m.CaughtUpReply]

  register: [m.RegisterRequest, m.RegisterReply]
  'storage-report': [m.StorageReport, null]
  'client-report': [m.ClientReport, null]
  mismatch: [m.MismatchReport, null]
  'caught-up-proposal': [m.CaughtUpProposal, null]
  'fetch-configuration': [m.ConfigurationRequest, m.ConfigurationUpdate]
  configuration: [m.ConfigurationUpdate, null]
  admin: [m.AdminRequest, m.AdminReply]
}

export type OperationName = keyof OperationTypes
export type Request<O extends OperationName> = OperationTypes[O][0]
/** Null for notifications. */
export type Reply<O extends OperationName> = OperationTypes[O][1]
