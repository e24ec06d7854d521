import { constants } from 'node:os'
import test from 'tape'
import { ERROR_CODES, SwarmdiskError, type ErrorCode } from '../../src/base/errors.js'
import { errnoOf, FileRefusal, type RefusalReason } from '../../src/fuse/errno.js'

const { errno } = constants

/** What callers see: under an open file, and with a name. */
const EXPECTED: Readonly<Record<ErrorCode, readonly [number, number]>> = {
  'bad-input': [errno.EIO, errno.EINVAL],
  'wrong-cluster': [errno.EIO, errno.EIO],
  'data-directory': [errno.EIO, errno.EIO],
  'in-use': [errno.EIO, errno.EBUSY],
  'not-found': [errno.EIO, errno.ENOENT],
  refused: [errno.EIO, errno.EACCES],
  unreachable: [errno.EIO, errno.EIO],
  undecided: [errno.EIO, errno.EIO],
  environment: [errno.EIO, errno.EIO],
  'disk-full': [errno.ENOSPC, errno.ENOSPC],
  'disk-error': [errno.EIO, errno.EIO],
  'io-timeout': [errno.EIO, errno.EIO],
  aborted: [errno.EIO, errno.EIO],
  corrupt: [errno.EIO, errno.EIO],
  'data-lost': [errno.EIO, errno.EIO],
  fenced: [errno.EIO, errno.EIO],
  incomplete: [errno.EIO, errno.EIO],
  protocol: [errno.EIO, errno.EIO],
}

test('every error code has an errno', t => {
  for (const code of ERROR_CODES) {
    const error = new SwarmdiskError(code, 'a test')
    const [io, name] = EXPECTED[code]
    t.equal(errnoOf(error, 'open file'), -io, `${code} under an open file`)
    t.equal(errnoOf(error, 'name'), -name, `${code} with a name`)
  }
  t.end()
})

test('refusals of the mount itself', t => {
  const expected: Readonly<Record<RefusalReason, number>> = {
    'no-such-file': errno.ENOENT,
    'not-a-directory': errno.ENOTDIR,
    'is-a-directory': errno.EISDIR,
    'not-permitted': errno.EPERM,
    'read-only': errno.EROFS,
    'bad-handle': errno.EBADF,
    'beyond-end': errno.ENOSPC,
    'too-many-open': errno.ENFILE,
    'unknown-operation': errno.ENOSYS,
    unsupported: errno.EOPNOTSUPP,
    malformed: errno.EINVAL,
    interrupted: errno.EINTR,
    'not-seen-yet': errno.EAGAIN,
    'wrong-version': errno.EPROTO,
  }
  for (const [reason, number] of Object.entries(expected)) {
    const refusal = new FileRefusal(reason as RefusalReason)
    t.equal(errnoOf(refusal, 'open file'), -number, reason)
    t.equal(errnoOf(refusal, 'name'), -number, `${reason}, with a name`)
  }
  t.end()
})

test('a bug has no errno', t => {
  t.equal(errnoOf(new TypeError('a bug'), 'open file'), null)
  t.equal(errnoOf('text', 'name'), null)
  t.end()
})
