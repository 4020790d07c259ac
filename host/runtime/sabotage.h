#pragma once

namespace host::runtime::sabotage {

// Named defects that only the builds of the chaos suite have (cmake -DHOST_SABOTAGE=name): each
// breaks the promise in one way, and a suite that does not catch it is worth nothing.

#ifdef HOST_SABOTAGE_LOST_TOMBSTONE  // a finished pending row stays
inline constexpr bool kLostTombstone = true;
#else
inline constexpr bool kLostTombstone = false;
#endif

#ifdef HOST_SABOTAGE_TIMER_NOT_REMOVED  // a timer that ran stays
inline constexpr bool kTimerNotRemoved = true;
#else
inline constexpr bool kTimerNotRemoved = false;
#endif

#ifdef HOST_SABOTAGE_OFFSET_BEFORE_WORK  // the prefix passes messages that still run
inline constexpr bool kOffsetBeforeWork = true;
#else
inline constexpr bool kOffsetBeforeWork = false;
#endif

#ifdef HOST_SABOTAGE_OUTPUTS_APART  // messages are sent outside the commit
inline constexpr bool kOutputsApart = true;
#else
inline constexpr bool kOutputsApart = false;
#endif

#ifdef HOST_SABOTAGE_MARKS_PER_STREAM  // marks forget the topic
inline constexpr bool kMarksPerStream = true;
#else
inline constexpr bool kMarksPerStream = false;
#endif

#ifdef HOST_SABOTAGE_ACK_BEFORE_COMMIT  // the watermark runs ahead of the log
inline constexpr bool kAcknowledgeEarly = true;
#else
inline constexpr bool kAcknowledgeEarly = false;
#endif

#ifdef HOST_SABOTAGE_ANSWER_BEFORE_COMMIT  // a request is answered before its message is durable
inline constexpr bool kAnswerBeforeCommit = true;
#else
inline constexpr bool kAnswerBeforeCommit = false;
#endif

#ifdef HOST_SABOTAGE_ANSWER_NOT_KEPT  // what an Idempotency-Key did is forgotten
inline constexpr bool kAnswerNotKept = true;
#else
inline constexpr bool kAnswerNotKept = false;
#endif

#ifdef HOST_SABOTAGE_DEAD_AT_FIRST_SIGHT  // a member is dead when it is seen so once
inline constexpr bool kDeadAtFirstSight = true;
#else
inline constexpr bool kDeadAtFirstSight = false;
#endif

#ifdef HOST_SABOTAGE_DOOR_NOT_EMPTIED  // nobody sends what a dead process' door left
inline constexpr bool kDoorNotEmptied = true;
#else
inline constexpr bool kDoorNotEmptied = false;
#endif

#ifdef HOST_SABOTAGE_RELEASE_BEFORE_FLUSH  // a lease is released before what runs is committed
inline constexpr bool kReleaseBeforeFlush = true;
#else
inline constexpr bool kReleaseBeforeFlush = false;
#endif

#ifdef HOST_SABOTAGE_LEAVE_WITHOUT_WORD  // a host that stops releases nothing
inline constexpr bool kLeaveWithoutWord = true;
#else
inline constexpr bool kLeaveWithoutWord = false;
#endif

#ifdef HOST_SABOTAGE_FENCED_FIGHTS  // who is fenced claims anew, whoever has the lease
inline constexpr bool kFencedFights = true;
#else
inline constexpr bool kFencedFights = false;
#endif

}  // namespace host::runtime::sabotage
