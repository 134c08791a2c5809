/* Every bound of evenkeel in one place, each with its reason. Pure. */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

/* Bytes of a node, broker or topic name, without the NUL. NATS allows 255 for a stream and RabbitMQ
 * 255 for a queue; `account/stream` and `vhost/queue` join two of them. */
#define NAME_BYTES_MAX 511

/* Bytes of an identity (node or broker id), without the NUL: they reach labels, tables and file
 * names. */
#define ID_BYTES_MAX 127

/* Bytes of a broker's address (a URL), without the NUL. */
#define ADDRESS_BYTES_MAX 255

/* Bytes of a sentence meant for a person (a refusal, an actuator's last words), without the NUL. */
#define TEXT_BYTES_MAX 255

/* Brokers that one agent watches: as many containers as Kubernetes runs on a large node, each a
 * broker. At 600 bytes a broker on the wire they leave room for most topics of a message. */
#define NODE_BROKERS_MAX 256

/* Topics in one report. At 60 bytes a topic on the wire, 4096 topics are 240 KB: one message. */
#define REPORT_TOPICS_MAX 4096

/* Members of one broker's cluster that can be a topic's candidate: candidates travel as a 64-bit
 * set. */
#define BROKER_PEERS_MAX 64

/* Brokers in one fleet, 4x the largest broker fleet whose operators wrote about it. */
#define FLEET_BROKERS_MAX 1024

/* Agents of one fleet: as many as brokers, for there is one to a host. */
#define FLEET_NODES_MAX 1024

/* Topics that the aggregator remembers the owner or the assignment of; about 64 MB when full. */
#define FLEET_TOPICS_MAX 131072

/* Aggregators that one agent reports to: the leader and its followers; etcd clusters stop at 7. */
#define AGGREGATORS_MAX 7

/* One message of any kind, on every socket, set before the socket starts (nng's default is
 * unlimited). */
#define MESSAGE_BYTES_MAX (512 * 1024)

/* An answer that lists the fleet: FLEET_BROKERS_MAX rows of at most 1 KB, read by clients only. */
#define ANSWER_BYTES_MAX (2 * 1024 * 1024)

/* Depth of msgpack nesting: report > brokers > broker > topics > topic > array, and two to grow. */
#define WIRE_DEPTH_MAX 8

/* Decisions in one reply to an agent; the rest follow with its next request. */
#define DECISIONS_PER_REPLY_MAX 16

/* Receipts in one request of an agent: one for each decision of the reply before, and as many
 * outcomes. */
#define RECEIPTS_PER_REQUEST_MAX 32

/* Decisions whose receipts an agent remembers, so that one that comes twice is run once. */
#define GUARD_DECISIONS_MAX 64

/* Actuators that one agent runs at a time; a further decision is answered with "busy". */
#define ACTUATORS_RUNNING_MAX 4

/* Moves that the aggregator keeps: those in flight and the most recent of those that ended. */
#define MOVES_MAX 256

/* Requests that one REP socket holds for a later answer: every agent one, and as many again
 * reconnecting. */
#define REQUESTS_PARKED_MAX (2 * FLEET_NODES_MAX)

/* Connections on one listening socket: every node twice (while it reconnects), and clients. */
#define LINK_PIPES_MAX 4096

/* A configuration file. Flow nesting costs libyaml quadratic time; 64 KB of it stay under 5 s. */
#define CONFIG_BYTES_MAX (64 * 1024)
#define CONFIG_DEPTH_MAX 8
#define CONFIG_NODES_MAX 4096

/* Clock difference of an agent that is believed without a word; NTP keeps hosts within a second. */
#define CLOCK_JUMP_US_MAX (30LL * 1000 * 1000)

#endif
