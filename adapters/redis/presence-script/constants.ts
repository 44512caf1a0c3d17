/**
 * The names in the script of presence that stand for a value: `$USERS` is written `KEYS[1]` in the Lua that Redis gets.
 * Variables would cost more: Redis makes the script's functions anew for each call.
 */
export const CONSTANTS: Readonly<Record<string, number | string>> = {
  // Hash. Its fields begin with a letter: u and a uid (the record of a user), s and a sid (the uid), r and a rid (the
  // number of users, and the revision); of a node n (its last call), a (the answer to that) and g (its grace); and the
  // state of the namespace with a dot.
  HASH: 'KEYS[1]',
  // Sorted set, all with one score. Its members: m rid NUL uid; the length of a node's id, the id and a uid that has a
  // session there; f node NUL uid NUL sid NUL connection, which a node may not know to be taken over or ended;
  // x uid NUL rid, see f.note; and y uid NUL rid, see f.noteExpulsion.
  SET: 'KEYS[2]',
  // Sorted sets: uids by the first deadline of their graces; nodes by the end of their lease.
  GRACES: 'KEYS[3]',
  NODES: 'KEYS[4]',
  // Stream: the record.
  ACTIVITY: 'KEYS[5]',

  /** The node that calls. */
  SELF: 'ARGV[1]',

  // A user's record. IS_SET: 1 after setInfo. OWN: the rooms of its own memberships, and the order of its entry into them,
  // by turns. LIST: its sessions. ORDERS: the order by room, of all rooms that it is in. An order is the revision of the
  // entry.
  INFO: 1,
  IS_SET: 2,
  OWN: 3,
  LIST: 4,
  ORDERS: 5,

  // A session. CONNECTION: empty when it is the SID. DEADLINE: 0 while it is live. SWEPT: 1 when its grace began because
  // its node was gone. ERA: the number of the epoch in which its node said it. GENERATION: the number of takeovers.
  // HELD: by turns a room, and the order times GRANTS plus the grant. REQUEST: the number of its connection's request;
  // absent without one.
  SID: 1,
  CONNECTION: 2,
  NODE: 3,
  CLIENT: 4,
  START: 5,
  DEADLINE: 6,
  SWEPT: 7,
  ERA: 8,
  GENERATION: 9,
  HELD: 10,
  REQUEST: 11,

  /** More than there are grants, and the grant of the app. */
  GRANTS: 8,
  APP: 4,

  /** How long keys live that no node renews, in milliseconds. */
  KEY_MS: 3_600_000,
  /** How long nobody must have swept for it to count as a pause, in milliseconds. */
  PAUSE_MS: 3_000,
  /** The grace of the sessions of a node that never said it, in milliseconds. */
  DEFAULT_GRACE: 5_000,
  /** How long nodes have time to restore their sessions after data was lost, in milliseconds. See f.note. */
  NOTED_MS: 600_000,
  /** How long, in microseconds, and how many entries the record has. */
  RECORD_US: 600_000_000,
  RECORD_ENTRIES: 100_000,
  /** How far the clock of a node counts that is ahead of that of Redis, in microseconds. */
  AHEAD_US: 1_000_000,
  /** How many fields are read ahead at most, before those of the last operation. */
  AHEAD: 400,
  /** The most nodes whose lease has ended that one sweep deals with. */
  NODES_A_SWEEP: 8,
  /** The most users of a slice. */
  SLICE: 200,
  /** A call begins no operation after so many members. With the last one it touches less than 256 users, 512 members. */
  MEMBERS_A_CALL: 400,
}
